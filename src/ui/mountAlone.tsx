/** How a page starts that has no extension around it and keeps nothing, not even a theme: it follows the system. */
import { type ComponentChild, render } from 'preact';
import { Boundary } from './parts/boundary.tsx';

export function mountAlone(screens: ComponentChild): void {
  const dark = matchMedia('(prefers-color-scheme: dark)');
  const follow = () => {
    document.documentElement.dataset.theme = dark.matches ? 'dark' : 'light';
  };
  follow();
  dark.addEventListener('change', follow);
  const root = document.getElementById('root');
  if (root !== null) render(<Boundary>{screens}</Boundary>, root);
}

/** What the user chose about the look. Nothing secret, needed before the first paint: `localStorage`, which is synchronous. */
import type { Unit } from './amounts.ts';

export type Theme = 'system' | 'light' | 'dark';

const DARK = '(prefers-color-scheme: dark)';

export function readTheme(): Theme {
  const stored = localStorage.getItem('theme');
  return stored === 'light' || stored === 'dark' ? stored : 'system';
}

export function setTheme(theme: Theme): void {
  localStorage.setItem('theme', theme);
  applyTheme();
}

/** `tokens.css` knows themes by attribute only; following the system is done here, before the first paint and ever after. */
export function followTheme(): void {
  applyTheme();
  matchMedia(DARK).addEventListener('change', applyTheme);
  addEventListener('storage', applyTheme);
}

function applyTheme(): void {
  const theme = readTheme();
  const dark = theme === 'dark' || (theme === 'system' && matchMedia(DARK).matches);
  document.documentElement.dataset.theme = dark ? 'dark' : 'light';
}

export function readUnit(): Unit {
  return localStorage.getItem('unit') === 'BTC' ? 'BTC' : 'sats';
}

export function setUnit(unit: Unit): void {
  localStorage.setItem('unit', unit);
}

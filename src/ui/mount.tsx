/** How a page starts: theme before the first paint, then the screens around one client of the device. */
import { type ComponentChild, render } from 'preact';
import type { Host } from './extensionHost.ts';
import { Boundary } from './parts/boundary.tsx';
import { type DeviceClient, PortClient } from './portClient.ts';
import { followTheme } from './preferences.ts';

export function mount(host: Host, screens: (client: DeviceClient) => ComponentChild): void {
  followTheme();
  const client = new PortClient(() => host.openPort());
  addEventListener('pagehide', () => client.close());
  const root = document.getElementById('root');
  if (root !== null) render(<Boundary>{screens(client)}</Boundary>, root);
}

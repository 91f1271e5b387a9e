/** What the built extension asks its browser for, and all that it asks for without a press. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { root } from '../../scripts/setup/paths.ts';

test.each([
  ['chrome-mv3', 3],
  ['firefox-mv2', 2],
])(
  '%s: storage that the browser does not clear away when it wants room, and no site',
  async (build, version) => {
    const text = await readFile(join(root, '.output', build, 'manifest.json'), 'utf8');
    const manifest = JSON.parse(text) as Record<string, unknown>;
    expect(manifest.manifest_version).toBe(version);
    // Share 1 is in IndexedDB alone: without `unlimitedStorage` it is the browser's to evict.
    expect(manifest.permissions).toEqual(['storage', 'unlimitedStorage', 'idle', 'alarms']);
    for (const asked of [
      'host_permissions',
      'content_scripts',
      'web_accessible_resources',
      'externally_connectable',
    ])
      expect(manifest).not.toHaveProperty(asked);
    // At a press alone: to read one server of the user's own. In the clear only on this machine, or over Tor.
    expect(manifest[version === 3 ? 'optional_host_permissions' : 'optional_permissions']).toEqual([
      'https://*/*',
      'http://localhost/*',
      'http://127.0.0.1/*',
      'http://*.onion/*',
    ]);
    const { content_security_policy: csp } = manifest as { content_security_policy: unknown };
    expect(JSON.stringify(csp)).toContain(
      ' connect-src https: wss: http://localhost:* http://127.0.0.1:* http://*.onion:*;',
    );
  },
);

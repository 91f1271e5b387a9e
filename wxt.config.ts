import { defineConfig } from 'wxt';

/**
 * Two builds from one source: MV3 for Chrome, MV2 for Firefox (whose MV3 event pages lose an open WebSocket).
 * No auto-imports: what a file uses, it names.
 */
export default defineConfig({
  imports: false,
  manifest: ({ browser }) => ({
    name: 'Hoarfrost',
    description: 'A Bitcoin wallet whose key is born split in three and is never whole.',
    permissions: ['storage', 'unlimitedStorage', 'idle', 'alarms'],
    // Asked for at a press and for one server, where a server of the user's own lets nobody read its answers.
    ...(browser === 'firefox'
      ? { optional_permissions: READABLE as never }
      : { optional_host_permissions: READABLE }),
    icons: { 16: 'icon/16.png', 32: 'icon/32.png', 48: 'icon/48.png', 128: 'icon/128.png' },
    // Only code of this package runs; wasm needs its own word. Any cosigner the user pairs with may be reached, by TLS alone.
    content_security_policy:
      browser === 'firefox' ? (CSP as unknown as { extension_pages: string }) : { extension_pages: CSP },
    ...(browser === 'firefox'
      ? {
          browser_specific_settings: {
            gecko: {
              id: 'wallet@hoarfrost.invalid',
              strict_min_version: '128.0',
              data_collection_permissions: { required: ['none'] },
            },
          },
        }
      : { minimum_chrome_version: '133' }),
  }),
  vite: () => ({ build: { target: 'es2022', sourcemap: false } }),
  zip: {
    includeSources: ['.npmrc', '.ci/**'],
    excludeSources: ['.cache/**', 'out/**', '.output/**', '**/*.pem', '**/*.key', '**/*.sqlite*'],
  },
});

const READABLE = ['https://*/*', 'http://localhost/*', 'http://127.0.0.1/*', 'http://*.onion/*'];

const CSP = [
  "default-src 'none'",
  "script-src 'self' 'wasm-unsafe-eval'",
  "style-src 'self'",
  "img-src 'self' data:",
  // Plain only to this machine and to Tor, for a server of the user's own that sends transactions (device/route).
  'connect-src https: wss: http://localhost:* http://127.0.0.1:* http://*.onion:*',
  "form-action 'none'",
  "frame-ancestors 'none'",
  "base-uri 'none'",
].join('; ');

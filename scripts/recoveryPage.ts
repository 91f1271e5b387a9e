/**
 * `npm run build` ends with this: the recovery page as one file, `.output/hoarfrost-recovery.html`, that runs from a disk with
 * no network. Everything is inside, wasm included; the page's policy names script and style by their hashes and forbids every
 * connection. The same source gives the same bytes wherever it is built; their SHA-256 is the last line printed.
 */
import { createHash } from 'node:crypto';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { build } from 'vite';
import { root } from './setup/paths.ts';

const STYLES = ['tokens', 'components', 'product', 'offline'];

/** `folder`: of the clone, where another than this one is built. */
export async function recoveryPage(folder = root): Promise<string> {
  const script = await bundle(folder);
  const styles = STYLES.map((name) => readFile(join(folder, `src/ui/styles/${name}.css`), 'utf8'));
  const style = (await Promise.all(styles)).join('');
  // Either would end the element early, whatever stands around it.
  if (/<\/script|<!--/i.test(script) || /<\/style/i.test(style))
    throw new Error('a tag within the page’s code');
  const policy = [
    "default-src 'none'",
    `script-src '${hashSource(script)}' 'wasm-unsafe-eval'`,
    `style-src '${hashSource(style)}'`,
    'img-src data:',
    "connect-src 'none'",
    "form-action 'none'",
    "base-uri 'none'",
  ].join('; ');
  return `<!doctype html>
<html lang="en" class="tab-page">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="${policy}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta name="referrer" content="no-referrer">
<title>Hoarfrost recovery page</title>
<link rel="icon" href="data:,">
<style>${style}</style>
</head>
<body>
<div id="root"></div>
<script>${script}</script>
</body>
</html>
`;
}

/** One script without imports, so that a page opened from a disk has nothing to fetch. */
async function bundle(folder: string): Promise<string> {
  const built = await build({
    root: folder,
    configFile: false,
    envFile: false,
    logLevel: 'error',
    publicDir: false,
    // As for release, whatever the environment says: a development build names the files of the machine.
    mode: 'production',
    define: { 'process.env.NODE_ENV': '"production"' },
    oxc: { jsx: { runtime: 'automatic', importSource: 'preact', development: false } },
    build: {
      write: false,
      target: 'es2022',
      modulePreload: false,
      rolldownOptions: {
        input: join(folder, 'entrypoints/recovery/main.tsx'),
        output: { format: 'iife', codeSplitting: false },
      },
    },
  });
  const outputs = (Array.isArray(built) ? built : [built]).flatMap((each) =>
    'output' in each ? each.output : [],
  );
  const [chunk] = outputs;
  if (outputs.length !== 1 || chunk?.type !== 'chunk')
    throw new Error(`${outputs.length} files in place of one`);
  return chunk.code;
}

function hashSource(text: string): string {
  return `sha256-${createHash('sha256').update(text).digest('base64')}`;
}

if (import.meta.main) {
  const page = await recoveryPage();
  const path = join(root, '.output/hoarfrost-recovery.html');
  await mkdir(dirname(path), { recursive: true });
  await writeFile(path, page);
  console.log(`hoarfrost-recovery.html  ${(page.length / 1024).toFixed(0)} kB`);
  console.log(`sha256 ${createHash('sha256').update(page).digest('hex')}`);
}

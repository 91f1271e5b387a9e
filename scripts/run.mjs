// What `npm start` and `npm test` call first: plain JavaScript for any Node from 18 on, so that a fresh clone
// needs nothing but a Node and its npm. It installs the locked packages where they are missing or differ from
// the lockfile, finds a Node that runs TypeScript as it is, and hands over: `node scripts/run.mjs start …`.
//
// One process and not a `prestart` script: .npmrc sets ignore-scripts, which silences pre and post scripts, and
// a shell that has looked `node` up once does not look again.
import { spawn, spawnSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const NODE_MAJOR = 24;
const root = dirname(dirname(fileURLToPath(import.meta.url)));

/** True when every locked package is installed in its locked version, and nothing else is. */
function installed() {
  let locked;
  let present;
  try {
    locked = JSON.parse(readFileSync(join(root, 'package-lock.json'), 'utf8')).packages;
    present = JSON.parse(readFileSync(join(root, 'node_modules/.package-lock.json'), 'utf8')).packages;
  } catch {
    return false;
  }
  const same = (path) =>
    present[path]?.version === locked[path]?.version && present[path]?.integrity === locked[path]?.integrity;
  // An optional package may be absent: most are builds for other machines.
  return (
    Object.keys(present).every((path) => locked[path] && same(path) && existsSync(join(root, path))) &&
    Object.keys(locked).every((path) => path === '' || path in present || locked[path].optional)
  );
}

function install() {
  const started = Date.now();
  process.stdout.write('packages … ');
  const npm = process.env.npm_execpath;
  const [command, first] = npm ? [process.execPath, [npm]] : ['npm', []];
  const ci = spawnSync(command, [...first, 'ci', '--no-audit', '--no-fund', '--loglevel=error'], {
    cwd: root,
    encoding: 'utf8',
  });
  const seconds = ((Date.now() - started) / 1000).toFixed(1);
  if (ci.status !== 0) {
    process.stdout.write(`failed (${seconds} s)\n`);
    process.stderr.write(ci.error ? `${ci.error.message}\n` : `${ci.stdout}${ci.stderr}`);
    process.exit(1);
  }
  process.stdout.write(`installed from the lockfile (${seconds} s)\n`);
}

/** The Node of the platform package if there is one for this machine, else the one running now if new enough. */
function findNode() {
  const locked = join(root, 'node_modules/.bin/node');
  if (existsSync(locked) && spawnSync(locked, ['--version']).status === 0) return locked;
  if (Number(process.versions.node.split('.')[0]) >= NODE_MAJOR) return process.execPath;
  process.stderr.write(
    `Missing: Node ${NODE_MAJOR} or newer. This is ${process.version}, and no package of it fits ` +
      `${process.platform}-${process.arch}.\nInstall it with: npx n ${NODE_MAJOR} (or nvm install ${NODE_MAJOR})\n`,
  );
  process.exit(1);
}

const [script, ...args] = process.argv.slice(2);
if (!installed()) install();
const node = findNode();
const child = spawn(node, [join(root, `scripts/${script}.ts`), ...args], {
  cwd: root,
  stdio: 'inherit',
  env: { ...process.env, PATH: `${join(root, 'node_modules/.bin')}:${process.env.PATH}` },
});
// Ctrl-C in a terminal reaches the child too, a signal to this process alone does not: it is told once either way,
// stops what it started, and this waits for it.
let told = false;
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) {
  process.on(signal, () => {
    if (!told) child.kill('SIGTERM');
    told = true;
  });
}
child.on('exit', (code, signal) => process.exit(code ?? (signal ? 1 : 0)));

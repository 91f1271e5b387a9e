import { spawn } from 'node:child_process';
import { mkdir, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { onPath, run } from '../../scripts/setup/command.ts';
import { cache } from '../../scripts/setup/paths.ts';
import type { Native } from './operations.ts';

const folder = join(cache, 'bench');
const MINUTE = 60_000;
const ANSWER_MS = 30_000;

interface Library {
  readonly version: string;
  readonly flags: readonly string[];
}

/** libsecp256k1 for the compiler: what pkg-config knows, or else Debian's package unpacked under .cache. */
async function library(): Promise<Library | undefined> {
  const config = (path: string | undefined, ...args: string[]) =>
    run('pkg-config', [...args, 'libsecp256k1'], {
      deadlineMs: MINUTE,
      ...(path && { env: { PKG_CONFIG_PATH: path } }),
    });
  try {
    const version = (await config(undefined, '--modversion')).trim();
    const flags = (await config(undefined, '--cflags', '--libs')).trim().split(/\s+/).filter(Boolean);
    return { version, flags };
  } catch {
    return debianLibrary().catch(() => undefined);
  }
}

async function debianLibrary(): Promise<Library | undefined> {
  const unpacked = join(folder, 'libsecp256k1-dev');
  const found = async () => {
    const libraries = join(unpacked, 'usr/lib');
    const triplet = (await readdir(libraries).catch(() => [])).find((name) => name.endsWith('-linux-gnu'));
    return triplet && join(libraries, triplet);
  };
  if (!(await found())) {
    await run('apt-get', ['download', 'libsecp256k1-dev'], { cwd: folder, deadlineMs: MINUTE });
    const archive = (await readdir(folder)).find((name) => /^libsecp256k1-dev_.*\.deb$/.test(name))!;
    await run('dpkg', ['-x', join(folder, archive), unpacked], { deadlineMs: MINUTE });
  }
  const libraries = await found();
  if (!libraries) return undefined;
  const description = await run('cat', [join(libraries, 'pkgconfig/libsecp256k1.pc')], {
    deadlineMs: MINUTE,
  });
  const version = /^Version: (.*)$/m.exec(description)?.[1] ?? 'unknown';
  return { version, flags: [`-I${join(unpacked, 'usr/include')}`, join(libraries, 'libsecp256k1.a')] };
}

/** Native libsecp256k1 where a C compiler and the library can be had; otherwise says what is missing. */
export async function startNative(): Promise<{ native: Native; version: string; close(): void } | string> {
  await mkdir(folder, { recursive: true });
  const compiler = await onPath('cc', 'gcc', 'clang');
  if (compiler === undefined) return 'no C compiler';
  const found = await library();
  if (found === undefined) return 'no libsecp256k1-dev';
  const binary = join(folder, 'native');
  const source = join(import.meta.dirname, 'native.c');
  await run(compiler, ['-O2', '-o', binary, source, ...found.flags], { deadlineMs: MINUTE });
  const child = spawn(binary, { stdio: ['pipe', 'pipe', 'inherit'] });
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  return {
    version: found.version,
    async native(operation, count) {
      child.stdin.write(`${operation} ${count}\n`);
      let timer: NodeJS.Timeout | undefined;
      const late = new Promise<never>((_, reject) => {
        timer = setTimeout(() => reject(new Error('no answer from native libsecp256k1')), ANSWER_MS);
      });
      const { value, done } = await Promise.race([lines.next(), late]).finally(() => clearTimeout(timer));
      if (done) throw new Error('native libsecp256k1 ended');
      return Number(value) / 1e6;
    },
    close: () => void child.kill(),
  };
}

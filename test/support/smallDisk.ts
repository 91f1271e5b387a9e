/**
 * A disk of a few megabytes that a test can fill: a tmpfs in a mount namespace of its own, so that nobody else sees it and it is
 * gone with its holder. Without root the namespace belongs to a user namespace.
 */
import { statfs, unlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { run } from '../../scripts/setup/command.ts';
import { Missing } from '../../scripts/setup/missing.ts';
import { heard, start } from '../../scripts/setup/processes.ts';

const MINUTE = 60_000;
const root = process.getuid?.() === 0;
const APART = root ? [] : ['--user', '--map-current-user', '--keep-caps'];

export interface SmallDisk {
  /** What a program that is to see the disk is started with. */
  readonly under: readonly string[];
  /** A file of the disk as this process reaches it. */
  path(...names: string[]): string;
  /** Until not one byte more fits. */
  fill(): Promise<void>;
  /** The space is there again. */
  free(): Promise<void>;
  stop(): Promise<void>;
}

/** @throws Missing where a namespace cannot be made */
export async function findNamespaces(): Promise<void> {
  await run('unshare', [...APART, '--mount', 'true'], { deadlineMs: MINUTE }).catch(() => {
    throw new Missing('a mount namespace (unshare)', 'Linux with user namespaces, or root');
  });
}

/** Over the folder `at`, for programs that run `under` it. `owner` is a user id, this process's own where it is left out. */
export async function startSmallDisk(options: {
  at: string;
  bytes: number;
  owner?: number | undefined;
}): Promise<SmallDisk> {
  const { at, bytes, owner = process.getuid!() } = options;
  const mount = `mount -t tmpfs -o size=${bytes},mode=700,uid=${owner} none "$1" && echo mounted && exec sleep infinity`;
  const holder = start('unshare', [
    ...APART,
    '--mount',
    '--propagation',
    'private',
    'sh',
    '-c',
    mount,
    'sh',
    at,
  ]);
  await heard('the small disk', holder, (said) => said.includes('mounted') || undefined, MINUTE);
  const pid = holder.child.pid!;
  const path = (...names: string[]) => join(`/proc/${pid}/root`, at, ...names);
  const filler = path('filler');
  return {
    under: [
      'nsenter',
      `--target=${pid}`,
      '--mount',
      ...(root ? [] : ['--user', '--preserve-credentials']),
      '--',
    ],
    path,
    async fill() {
      const { bavail, bsize } = await statfs(path());
      await writeFile(filler, new Uint8Array((bavail + 1) * bsize), { flag: 'a' }).catch(
        (e: NodeJS.ErrnoException) => {
          if (e.code !== 'ENOSPC') throw e;
        },
      );
    },
    free: () => unlink(filler),
    stop: () => holder.stop(),
  };
}

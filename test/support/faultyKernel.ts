/** Programs for which the kernel has a bad day whenever the test says so: `faults.c`, built by the machine's own compiler. */
import { chmod, mkdtemp, rename, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { onPath, run } from '../../scripts/setup/command.ts';
import { Missing } from '../../scripts/setup/missing.ts';
import { root } from '../../scripts/setup/paths.ts';

export type KernelFault = 'fsync' | 'readonly';

export interface FaultyKernel {
  /** What a program is started with so that the faults reach it. */
  readonly under: readonly string[];
  begin(fault: KernelFault): Promise<void>;
  end(fault: KernelFault): Promise<void>;
  /** Adds to the wall clock. */
  jump(seconds: number): Promise<void>;
  stop(): Promise<void>;
}

/** @throws Missing */
export async function findCompiler(): Promise<string> {
  const found = process.platform === 'linux' ? await onPath('cc', 'gcc', 'clang') : undefined;
  if (!found) throw new Missing('a C compiler (cc) on Linux', 'apt-get install gcc libc6-dev (Debian)');
  return found;
}

/** Faults of files concern those below the folder `at` alone. */
export async function startFaultyKernel(at: string): Promise<FaultyKernel> {
  const folder = await mkdtemp(join(tmpdir(), 'hoarfrost-faults-'));
  // Whoever the program runs as reads them.
  await chmod(folder, 0o755);
  const library = join(folder, 'faults.so');
  const source = join(root, 'test/support/faults.c');
  await run(await findCompiler(), ['-shared', '-fPIC', '-O1', '-o', library, source, '-ldl'], {
    deadlineMs: 60_000,
  });
  return {
    under: ['env', `LD_PRELOAD=${library}`, `FAULTS=${folder}`, `FAULTS_UNDER=${at}`],
    begin: (fault) => writeFile(join(folder, fault), ''),
    end: (fault) => rm(join(folder, fault)),
    async jump(seconds) {
      // Whole or not at all: half a number is another time.
      await writeFile(join(folder, 'next'), String(seconds));
      await rename(join(folder, 'next'), join(folder, 'clock'));
    },
    stop: () => rm(folder, { recursive: true, force: true }),
  };
}

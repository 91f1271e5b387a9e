import { execFile } from 'node:child_process';
import { constants } from 'node:fs';
import { access } from 'node:fs/promises';
import { delimiter, join } from 'node:path';
import { promisify } from 'node:util';

const execute = promisify(execFile);

interface Options {
  cwd?: string;
  env?: Record<string, string>;
  /** After this long the command is killed and the call fails. */
  deadlineMs: number;
}

/**
 * Runs a command to its end and gives its standard output.
 * @throws Error with the command line and the end of what it printed
 */
export async function run(command: string, args: readonly string[], options: Options): Promise<string> {
  try {
    const { stdout } = await execute(command, args, {
      cwd: options.cwd,
      env: { ...process.env, ...options.env },
      timeout: options.deadlineMs,
      maxBuffer: 64 * 1024 * 1024,
    });
    return stdout;
  } catch (error) {
    const { killed, stdout = '', stderr = '', message } = error as Error & Record<string, string | undefined>;
    const why = killed
      ? `no end within ${options.deadlineMs / 1000} s`
      : (stdout + stderr).trim().slice(-4000) || message;
    throw new Error(`${command} ${args.join(' ')}\n${why}`);
  }
}

export async function isExecutable(path: string): Promise<boolean> {
  return access(path, constants.X_OK).then(
    () => true,
    () => false,
  );
}

/** The first of these programs that stands on the PATH, as a whole path. */
export async function onPath(...names: readonly string[]): Promise<string | undefined> {
  for (const name of names) {
    for (const folder of (process.env.PATH ?? '').split(delimiter)) {
      const path = join(folder, name);
      if (folder && (await isExecutable(path))) return path;
    }
  }
  return undefined;
}

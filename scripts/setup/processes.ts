import { type ChildProcess, spawn } from 'node:child_process';
import { randomInt } from 'node:crypto';
import { once } from 'node:events';
import { createServer } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';

/** A program that stays up until it is stopped, and the end of what it said. */
export interface Running {
  child: ChildProcess;
  /** The last 8 kB of its standard output and standard error, for the message when it fails. */
  said(): string;
  /** Sends SIGTERM, and SIGKILL when it has not ended within the grace; its last words are heard then. Stopping twice is once. */
  stop(graceMs?: number): Promise<void>;
}

const TAIL = 8192;
/** What a program said last is read a moment after its end; a child of its own may hold the pipe for good. */
const LAST_WORDS_MS = 1000;
const started = new Set<ChildProcess>();
// However this process ends, nothing that it started outlives it.
process.once('exit', () => {
  for (const child of started) child.kill('SIGKILL');
});

/**
 * Starts a program in a process group of its own, so that Ctrl-C in the terminal reaches only us and we stop
 * things in their order.
 * @param onOutput sees every chunk of both outputs
 */
export function start(
  command: string,
  args: readonly string[],
  options: { env?: Record<string, string>; cwd?: string; onOutput?: (text: string) => void } = {},
): Running {
  const child = spawn(command, args, {
    cwd: options.cwd,
    env: { ...process.env, ...options.env },
    stdio: ['ignore', 'pipe', 'pipe'],
    detached: true,
  });
  let tail = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (text: string) => {
      tail = (tail + text).slice(-TAIL);
      options.onOutput?.(text);
    });
  }
  started.add(child);
  child.once('error', (error) => {
    tail += error.message;
    started.delete(child);
  });
  child.once('exit', () => started.delete(child));
  return {
    child,
    said: () => tail.trim(),
    async stop(graceMs = 10_000) {
      if (!started.has(child)) return;
      const ended = once(child, 'exit');
      const read = once(child, 'close');
      child.kill('SIGTERM');
      const timer = setTimeout(() => child.kill('SIGKILL'), graceMs);
      await ended;
      clearTimeout(timer);
      await Promise.race([read, sleep(LAST_WORDS_MS, undefined, { ref: false })]);
    },
  };
}

/**
 * Waits until the program has said something that `find` recognises.
 * @throws Error when it ends before, or at the deadline, with what it said
 */
export function heard<T>(
  name: string,
  running: Running,
  find: (said: string) => T | undefined,
  deadlineMs: number,
): Promise<T> {
  return new Promise((resolve, reject) => {
    const { child } = running;
    const settle = (end: () => void) => {
      clearTimeout(timer);
      child.stdout?.off('data', look);
      child.stderr?.off('data', look);
      child.off('exit', ended);
      child.off('error', ended);
      end();
    };
    const look = () => {
      const found = find(running.said());
      if (found !== undefined) settle(() => resolve(found));
    };
    const ended = () => settle(() => reject(new Error(`${name} ended at its start:\n${running.said()}`)));
    const timer = setTimeout(
      () =>
        settle(() =>
          reject(new Error(`${name} was not ready within ${deadlineMs / 1000} s:\n${running.said()}`)),
        ),
      deadlineMs,
    );
    child.stdout?.on('data', look);
    child.stderr?.on('data', look);
    child.once('exit', ended);
    child.once('error', ended);
    look();
  });
}

/** Below them the kernel gives none away by itself (Linux: ip_local_port_range), and above these no browser refuses one. */
const PORTS = { first: 11_000, end: 32_768 };

/**
 * A port of the loopback address that is free, and stays so for who takes it a moment later: one that the kernel picks may be
 * the next connection's.
 */
export async function freePort(): Promise<number> {
  for (;;) {
    const port = randomInt(PORTS.first, PORTS.end);
    const server = createServer().listen(port, '127.0.0.1');
    try {
      await once(server, 'listening');
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'EADDRINUSE') continue;
      throw error;
    }
    server.close();
    await once(server, 'close');
    return port;
  }
}

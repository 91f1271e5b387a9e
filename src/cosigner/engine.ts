/**
 * What V8 is asked for the sake of the loop. Compiling and marking it does on threads of its own; on the one core of a cosigner they
 * would take half of it from the requests for as long as they run. At a lower priority they take what the loop leaves, and a tenth
 * when it leaves nothing. When the loop itself waits for them the core is theirs. What is old is collected when it has doubled: left to
 * itself V8 does so every 16 MB, and each time the loop stands still for as long as twenty signatures.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { getPriority, setPriority } from 'node:os';
import { setFlagsFromString } from 'node:v8';

/** What V8 calls them on Linux. */
const NAME = 'V8Worker';
/** More than what the loop has; 19 is the most there is. */
const NICE = 10;
/** Per cent of what was left by the collection before. */
const GROWTH = 100;

export function favourLoop(): void {
  setFlagsFromString(`--heap-growing-percent=${GROWTH}`);
  lowerHelpers();
}

/** Linux only: elsewhere a thread has no priority of its own that we could name. */
function lowerHelpers(): void {
  if (process.platform !== 'linux') return;
  try {
    const nice = Math.min(19, getPriority() + NICE);
    for (const thread of readdirSync('/proc/self/task')) {
      const name = readFileSync(`/proc/self/task/${thread}/comm`, 'utf8').trim();
      if (name === NAME) setPriority(Number(thread), nice);
    }
  } catch {
    // Where /proc is hidden, or a filter forbids it, all goes on as before.
  }
}

/**
 * What V8 does beside the loop, compiling and marking, it does on threads of its own. On the one core of a cosigner they would take
 * half of it from the requests for as long as they run; at a lower priority they take what the loop leaves, and a tenth when
 * it leaves nothing. When the loop itself waits for them the core is theirs.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { getPriority, setPriority } from 'node:os';

/** What V8 calls them on Linux. */
const NAME = 'V8Worker';
/** More than what the loop has; 19 is the most there is. */
const NICE = 10;

/** Linux only: elsewhere a thread has no priority of its own that we could name. */
export function yieldToLoop(): void {
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

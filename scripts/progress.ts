/** One progress line a step: its name when it starts, its outcome and its time when it ends. */

const seconds = (since: number): string => `${((performance.now() - since) / 1000).toFixed(1)} s`;

/**
 * Runs one step and prints `name … outcome (1.2 s)`. A step must print nothing itself.
 * @param outcome what to say of the result; `done` when left out
 * @throws what `run` throws, after the line says `failed`
 */
export async function step<T>(
  name: string,
  run: () => Promise<T>,
  outcome?: (result: T) => string,
): Promise<T> {
  const started = performance.now();
  process.stdout.write(`${name} … `);
  try {
    const result = await run();
    process.stdout.write(`${outcome?.(result) ?? 'done'} (${seconds(started)})\n`);
    return result;
  } catch (error) {
    process.stdout.write(`failed (${seconds(started)})\n`);
    throw error;
  }
}

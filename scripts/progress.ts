/** One progress line a step: its name when it starts, its outcome and its time when it ends. */

const seconds = (since: number): string => `${((performance.now() - since) / 1000).toFixed(1)} s`;

/**
 * Runs one step and prints `name … outcome (1.2 s)`. A step must print nothing itself.
 * @param outcome what to say of the result; `done` when left out
 * @param when for steps that run beside each other: the whole line once it has ended
 * @throws what `run` throws, after the line says `failed`
 */
export async function step<T>(
  name: string,
  run: () => Promise<T>,
  outcome?: (result: T) => string,
  when: 'begun' | 'ended' = 'begun',
): Promise<T> {
  const started = performance.now();
  const begin = `${name} … `;
  const end = (text: string) =>
    process.stdout.write(`${when === 'ended' ? begin : ''}${text} (${seconds(started)})\n`);
  if (when === 'begun') process.stdout.write(begin);
  try {
    const result = await run();
    end(outcome?.(result) ?? 'done');
    return result;
  } catch (error) {
    end('failed');
    throw error;
  }
}

/** What unlocking takes in Chromium: from the page's word to the background's answer, with the wallet open behind it. */
import { createWallet, PASSWORD } from '../../scripts/person.ts';
import { openWorld } from '../support/world.ts';

/** Milliseconds of each run. */
export async function unlock(count: number): Promise<number[]> {
  const world = await openWorld();
  try {
    const { page: born } = await createWallet(world.chromium.open, { pairing: world.pairing });
    await born.close();
    const page = await world.chromium.open('popup.html');
    return await page.evaluate(
      async ({ runs, password }) => {
        interface Port {
          postMessage(message: string): void;
          onMessage: { addListener(listener: (message: string) => void): void };
        }
        const { chrome } = globalThis as unknown as {
          chrome: { runtime: { connect(to: { name: string }): Port } };
        };
        const port = chrome.runtime.connect({ name: 'hoarfrost' });
        let number = 0;
        const ask = (method: string, argument: unknown) =>
          new Promise<void>((done, fail) => {
            const id = ++number;
            port.onMessage.addListener((text) => {
              const reply = JSON.parse(text);
              if (reply.id === id) 'error' in reply ? fail(new Error(reply.error.code)) : done();
            });
            port.postMessage(JSON.stringify({ id, method, argument }));
          });
        const times: number[] = [];
        for (let i = 0; i < runs; i++) {
          await ask('lock', null);
          const started = performance.now();
          await ask('unlock', { password });
          times.push(performance.now() - started);
        }
        return times;
      },
      { runs: count, password: PASSWORD },
    );
  } finally {
    await world.close();
  }
}

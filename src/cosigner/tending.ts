/** What goes on by itself while a cosigner runs: time goes by for ceremonies, and contacts are told. */
import { STEP_MAX_MS } from '../policy/ceremony.ts';
import { isHoarfrostError } from '../protocol/errors.ts';
import { lookAtAll } from './ceremonies.ts';
import type { Cosigner } from './cosigner.ts';
import { deliverNotices } from './delivery.ts';

/** Often enough that time which has gone by always counts whole. */
const LOOK_EVERY_MS = STEP_MAX_MS / 6;
const DELIVER_EVERY_MS = 30_000;

/** Begins at once. Answers what ends it, and resolves when nothing of it runs any more. */
export function tend(cosigner: Cosigner): () => Promise<void> {
  const look = inTurn(cosigner, 'ceremonies not looked at', () => lookAtAll(cosigner));
  const deliver = inTurn(cosigner, 'notices not delivered', () => deliverNotices(cosigner));
  const timers = [setInterval(look.run, LOOK_EVERY_MS), setInterval(deliver.run, DELIVER_EVERY_MS)];
  cosigner.announcements.listen(deliver.run);
  look.run();
  deliver.run();
  return async () => {
    for (const timer of timers) clearInterval(timer);
    await Promise.all([look.end(), deliver.end()]);
  };
}

/** One run at a time; asked for during one, another follows it. */
function inTurn(cosigner: Cosigner, failed: string, work: () => Promise<void>) {
  let running: Promise<void> | null = null;
  let again = false;
  let ended = false;
  const run = (): void => {
    if (ended) return;
    again = running !== null;
    running ??= work()
      .catch((e: unknown) => {
        cosigner.log.error(failed, { code: isHoarfrostError(e) ? e.code : 'Internal' });
      })
      .finally(() => {
        running = null;
        if (again) run();
      });
  };
  const end = async (): Promise<void> => {
    ended = true;
    await running;
  };
  return { run, end };
}

import type { ChainSource } from '../chain/source.ts';
import { isHoarfrostError } from '../protocol/errors.ts';
import type { Log } from './log.ts';

/** Asks for the height now and again, and calls `onHeight` whenever it differs, also when a reorg lowered it. Returns what stops it. */
export function watchHeight(
  chain: Pick<ChainSource, 'height'>,
  everyMs: number,
  log: Log,
  onHeight: (height: number) => void,
): () => void {
  let known: number | undefined;
  let lost = false;
  let asking = false;
  const ask = async () => {
    if (asking) return;
    asking = true;
    try {
      const height = await chain.height();
      if (lost) log.info('chain source is back', { height });
      lost = false;
      if (height !== known) onHeight(height);
      known = height;
    } catch (e) {
      if (!lost) log.warn('chain source is lost', { code: isHoarfrostError(e) ? e.code : 'Internal' });
      lost = true;
    } finally {
      asking = false;
    }
  };
  void ask();
  const timer = setInterval(() => void ask(), everyMs);
  return () => clearInterval(timer);
}

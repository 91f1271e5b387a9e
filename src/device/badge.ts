/** What the toolbar says of a wallet whose owner is looking elsewhere. */
import type { DeviceState } from './port.ts';

export const BADGE = '!';

/**
 * `BADGE` where somebody else has asked for a change of this wallet, or nothing is signed; nothing where all is as its owner
 * left it. Null where neither is known: a lock, or a cosigner that has not answered yet, calls nobody off.
 */
export function badgeOf(state: DeviceState): string | null {
  if (state.phase !== 'unlocked' || state.wallet.rulesVersion === 0) return null;
  const { ceremonies, frozen } = state.wallet;
  return frozen || ceremonies.some(({ openedBy }) => openedBy !== 'device') ? BADGE : '';
}

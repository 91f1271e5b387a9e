/** What the wallet has and had: addresses, the descriptor, the chain. */
import { ensure } from '../../protocol/errors.ts';
import { activityOf } from '../views.ts';
import type { Handlers, Inside } from './subject.ts';

export function walletHandlers(
  inside: Inside,
): Handlers<'receiveAddress' | 'descriptor' | 'refresh' | 'fees' | 'activityDetail'> {
  return {
    receiveAddress: async () => {
      const open = await inside.unlocked();
      if (!open.wallet.knowsUsed) await inside.refresh(open);
      return open.wallet.receiveAddress();
    },
    descriptor: async () => ({ descriptor: (await inside.unlocked()).wallet.descriptor() }),
    refresh: async () => {
      await inside.refresh(await inside.unlocked());
      return null;
    },
    fees: async () => {
      const { chain } = await inside.unlocked();
      return inside.reach(() => chain.fees());
    },
    activityDetail: async ({ id }) => {
      const { wallet, payments, chain } = await inside.unlocked();
      const view = activityOf(wallet, payments.rows).find((a) => a.id === id);
      ensure(view !== undefined, 'SessionUnknown', { detail: 'activity' });
      const own = payments.rows.find((row) => row.id === id)?.transaction ?? null;
      const seen = wallet.history.find((entry) => entry.txid === view.txid)?.transaction ?? null;
      if (own !== null || seen === null || seen.length > 0) return { ...view, transaction: own ?? seen };
      // Too long ago to have come with the history.
      const found = await inside.reach(() => chain.transaction(view.txid!));
      return { ...view, transaction: found?.transaction ?? null };
    },
  };
}

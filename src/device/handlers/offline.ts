/** Signing with the recovery page, as the pages ask for it: a payment without the cosigner, and the drill. */
import { decode, encode } from '../../protocol/codec.ts';
import { ensure } from '../../protocol/errors.ts';
import { type OfflineOf, offlineMessage } from '../../protocol/offline.ts';
import type { Handlers, Inside } from './subject.ts';

export function offlineHandlers(
  inside: Inside,
): Handlers<'offlineRequest' | 'offlineFinish' | 'drillRequest' | 'drillFinish'> {
  const { db, env } = inside.parts;
  return {
    offlineRequest: async ({ request }) => {
      const { wallet, payments, offline } = await inside.unlocked();
      const { psbt } = payments.drafted(request);
      const message = await offline.request({ kind: 'payment', psbt, ...wallet.used });
      return { message: encode(offlineMessage, message) };
    },
    offlineFinish: async ({ request, message }) => {
      const { payments, offline } = await inside.unlocked();
      const { txid } = payments.drafted(request);
      const result = await offline.finish(answerOf(message));
      ensure(result.kind === 'payment' && result.txid === txid, 'WrongSession', {
        detail: 'offline payment',
      });
      await payments.keepSigned(request, result.transaction);
      return { txid, transaction: result.transaction };
    },
    drillRequest: async () => {
      const { offline } = await inside.unlocked();
      const at = env.now();
      return { message: encode(offlineMessage, await offline.request({ kind: 'drill', at })), at };
    },
    drillFinish: async ({ message }) => {
      const { offline } = await inside.unlocked();
      const result = await offline.finish(answerOf(message));
      ensure(result.kind === 'drill', 'WrongSession', { detail: 'offline drill' });
      await db.write([{ store: 'drill', key: 'drill', value: result.drill }]);
      inside.tell();
      return { at: result.drill.at };
    },
  };
}

/** Throws `WrongSession` for a message of the recovery page that is no answer to a request. */
function answerOf(message: Uint8Array): OfflineOf<'signed'> {
  const said = decode(offlineMessage, message);
  ensure(said.kind === 'signed', 'WrongSession', { detail: `offline ${said.kind}` });
  return said;
}

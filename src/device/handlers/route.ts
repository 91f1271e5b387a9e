/** By which way finished transactions leave: chosen, tested, and once another one. */
import { ensure } from '../../protocol/errors.ts';
import { sendThrough, testServer } from '../route.ts';
import type { Handlers, Inside } from './subject.ts';

export function routeHandlers(inside: Inside): Handlers<'setRoute' | 'testRoute' | 'sendThrough'> {
  const { env } = inside.parts;
  return {
    setRoute: async ({ url }) => {
      await (await inside.unlocked()).route.choose(url);
      inside.tell();
      return null;
    },
    testRoute: async ({ url }) => {
      const { network } = (await inside.unlocked()).wallet.account;
      return testServer({ url, network, env });
    },
    sendThrough: async ({ request, url }) => {
      const { wallet, payments, chain } = await inside.unlocked();
      const { transaction, txid } = payments.get(request);
      ensure(transaction !== null, 'WrongSession', { detail: 'not signed' });
      const { network } = wallet.account;
      const sent =
        url === null
          ? await inside.reach(() => chain.broadcast(transaction))
          : await sendThrough({ url, network, env }, transaction);
      ensure(sent === txid, 'UnknownMessage', { detail: 'txid' });
      await payments.seen(new Set([txid]));
      return { txid };
    },
  };
}

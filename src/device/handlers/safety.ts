/** What the safety centre asks besides what other subjects tell it: the cosigner's receipts, and what may leave this browser. */
import { hex } from '@scure/base';
import { encode, type TypeOf } from '../../protocol/codec.ts';
import { isHoarfrostError } from '../../protocol/errors.ts';
import type { receiptVerdict } from '../../protocol/messages.ts';
import { offlineMessage } from '../../protocol/offline.ts';
import { exportedState } from '../../protocol/publicState.ts';
import { mayPass } from '../attempt.ts';
import type { ReceiptView } from '../port.ts';
import { recentReceipts } from '../receipts.ts';
import type { Handlers, Inside, Open } from './subject.ts';

export function safetyHandlers(inside: Inside): Handlers<'receipts' | 'exportState'> {
  const { db, env, signer } = inside.parts;

  /** Looks through the cosigner's receipts; null for a chain that is broken, which is kept for good. Throws what may pass. */
  const read = async ({ wallet, channel }: Open) => {
    const chain = {
      signer,
      hostKey: wallet.cosigner.hostKey,
      wallet: wallet.key.wallet,
      fetch: async (from: number) =>
        (await (await channel.connection()).request({ kind: 'receipts', from }, 'receipts')).receipts,
    };
    try {
      const found = await inside.reach(() => recentReceipts(chain, wallet.receiptHead));
      if (found.head.sequence > wallet.receiptHead.sequence) await wallet.keepReceipts(found.head);
      return found;
    } catch (e) {
      if (mayPass(e) || !isHoarfrostError(e) || e.code === 'Locked') throw e;
      await wallet.breakReceipts();
      inside.tell();
      return null;
    }
  };

  return {
    receipts: async () => {
      const open = await inside.unlocked();
      const { wallet } = open;
      const found = await read(open);
      if (found === null) return { items: [], total: wallet.receiptHead.sequence, broken: true };
      const items = found.items.map(viewOf).reverse();
      return { items, total: found.head.sequence, broken: wallet.receiptsBroken };
    },
    exportState: async () => {
      const open = await inside.unlocked();
      const { wallet, policies, route } = open;
      // Without the cosigner the file has all but the receipts, which are its word.
      const receipts = await read(open).then(
        (found) => found?.signed ?? null,
        () => null,
      );
      const { cosigner, receiptHead } = wallet;
      const state = exportedState({
        at: env.now(),
        network: wallet.key.network,
        bundle: { certificate: wallet.certificate, copies: [wallet.epochs.records] },
        descriptor: wallet.descriptor(),
        policies: policies.signed,
        receiptCount: receiptHead.sequence,
        receiptHead: receiptHead.hash,
        receiptsBroken: wallet.receiptsBroken,
        receipts,
        cosignerHost: cosigner.host,
        cosignerPort: cosigner.port,
        cosignerHostKey: cosigner.hostKey,
        cosignerNoiseKey: cosigner.noiseKey,
        cosignerStatement: wallet.channelKeyStatement,
        autoLock: (await db.get('settings', 'settings'))?.autoLock ?? null,
        route: route.view?.url ?? null,
        drill: (await db.get('drill', 'drill'))?.at ?? null,
      });
      return { message: encode(offlineMessage, state) };
    },
  };
}

type Item = Awaited<ReturnType<typeof recentReceipts>>['items'][number];

const KINDS = {
  signs: 'signed',
  waits: 'waits',
  refuses: 'refused',
  changed: 'policy',
  cancelled: 'cancelled',
  ceremony: 'ceremony',
} as const satisfies Record<TypeOf<typeof receiptVerdict>['kind'], ReceiptView['kind']>;

function viewOf({ sequence, at, verdict, before, after, spend }: Item): ReceiptView {
  return { sequence, at, kind: KINDS[verdict.kind], charged: after - before, txid: hex.encode(spend) };
}

/** What the safety centre asks besides what other subjects tell it: the cosigner's receipts, and what may leave this browser. */
import { hex } from '@scure/base';
import { encode, type TypeOf } from '../../protocol/codec.ts';
import { isHoarfrostError } from '../../protocol/errors.ts';
import type { receiptVerdict } from '../../protocol/messages.ts';
import { offlineBundle } from '../../protocol/offline.ts';
import { mayPass } from '../attempt.ts';
import type { ReceiptView } from '../port.ts';
import { recentReceipts } from '../receipts.ts';
import type { Handlers, Inside } from './subject.ts';

export function safetyHandlers(inside: Inside): Handlers<'receipts' | 'exportState'> {
  return {
    receipts: async () => {
      const { wallet, channel } = await inside.unlocked();
      const chain = {
        signer: inside.parts.signer,
        hostKey: wallet.cosigner.hostKey,
        wallet: wallet.key.wallet,
        fetch: async (from: number) =>
          (await (await channel.connection()).request({ kind: 'receipts', from }, 'receipts')).receipts,
      };
      try {
        const { items, head } = await inside.reach(() => recentReceipts(chain, wallet.receiptHead));
        if (head.sequence > wallet.receiptHead.sequence) await wallet.keepReceipts(head);
        return { items: items.map(viewOf).reverse(), total: head.sequence, broken: wallet.receiptsBroken };
      } catch (e) {
        if (mayPass(e) || !isHoarfrostError(e) || e.code === 'Locked') throw e;
        await wallet.breakReceipts();
        inside.tell();
        return { items: [], total: wallet.receiptHead.sequence, broken: true };
      }
    },
    exportState: async () => {
      const { wallet } = await inside.unlocked();
      const { certificate, epochs } = wallet;
      return { bundle: encode(offlineBundle, { certificate, copies: [epochs.records] }) };
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

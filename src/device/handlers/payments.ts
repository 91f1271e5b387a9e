/** One payment from draft to press, as the pages ask for it. */
import { type ErrorCode, isHoarfrostError } from '../../protocol/errors.ts';
import { progressOf } from '../payments.ts';
import type { PaymentDraft, ReviewView } from '../port.ts';
import { reviewOf } from '../views.ts';
import type { Handlers, Inside, Open } from './subject.ts';

export function paymentHandlers(
  inside: Inside,
): Handlers<'draft' | 'evaluate' | 'press' | 'payment' | 'discard'> {
  return {
    draft: async (wanted) => {
      const open = await inside.unlocked();
      return draftAfterLook(inside, open, wanted);
    },
    evaluate: async ({ request }) => {
      const open = await inside.unlocked();
      open.payments.get(request);
      try {
        await inside.reach(() => open.payments.evaluate(request));
        // The rules would let it pass, but the share in here is of an epoch that signs no more.
        return review(open, request, open.refresher.alert === 'EpochStale' ? 'EpochStale' : null);
      } catch (e) {
        if (!isHoarfrostError(e) || e.code === 'SessionUnknown') throw e;
        return review(open, request, e.code);
      }
    },
    press: async ({ request }) => progressOf(await (await inside.unlocked()).payments.press(request)),
    payment: async ({ request }) => progressOf((await inside.unlocked()).payments.get(request)),
    discard: async ({ request }) => {
      await (await inside.unlocked()).payments.discard(request);
      inside.tell();
      return null;
    },
  };
}

export async function draftAfterLook(inside: Inside, open: Open, wanted: PaymentDraft): Promise<ReviewView> {
  // Until the chain shows the payment before this one, its change is not known to be there.
  if (open.payments.awaitsLook) await inside.refresh(open);
  return review(open, (await open.payments.draft(wanted)).id, null);
}

function review({ wallet, payments }: Open, id: string, verdictError: ErrorCode | null): ReviewView {
  return { ...reviewOf(wallet, payments.get(id), payments.rows), verdictError };
}

/** The sweep to a new key, as the pages ask for it: whose key, what is left, the next payment, the change of wallets. */
import { ensure } from '../../protocol/errors.ts';
import { adoptSuccessor, readSweep, type Sweep, sweepAddress, sweepView } from '../sweep.ts';
import { draftAfterLook } from './payments.ts';
import type { Handlers, Inside, Open } from './subject.ts';

export function sweepHandlers(
  inside: Inside,
): Handlers<'sweep' | 'sweepAdopt' | 'sweepDraft' | 'sweepFinish'> {
  const { db, signer, generations } = inside.parts;
  const sweepOf = async ({ vault }: Open): Promise<Sweep | null> => {
    const record = await db.get('sweep', 'sweep');
    return record === null ? null : readSweep(signer, vault, record);
  };
  const running = async (open: Open): Promise<Sweep> => {
    const sweep = await sweepOf(open);
    ensure(sweep !== null, 'SessionUnknown', { detail: 'sweep' });
    return sweep;
  };
  return {
    sweep: async () => {
      const open = await inside.unlocked();
      const sweep = await sweepOf(open);
      return sweep === null ? null : sweepView(sweep, open.wallet, open.payments.rows);
    },
    sweepAdopt: async () => {
      const open = await inside.unlocked();
      const record = await adoptSuccessor(signer, open.vault, open.wallet, await generations.successor());
      if (open.route.view !== null) await generations.bequeath(open.route.view);
      await db.write([{ store: 'sweep', key: 'sweep', value: record }]);
      inside.tell();
      const sweep = await running(open);
      return sweepView(sweep, open.wallet, open.payments.rows);
    },
    sweepDraft: async ({ feeRate }) => {
      const open = await inside.unlocked();
      const address = sweepAddress(await running(open), open.payments.rows);
      return draftAfterLook(inside, open, { address, amount: 'all', feeRate });
    },
    sweepFinish: async () => {
      const open = await inside.unlocked();
      await inside.refresh(open);
      const { stage } = sweepView(await running(open), open.wallet, open.payments.rows);
      ensure(stage === 'done', 'Pending', { detail: 'coins left' });
      // Chosen since then, perhaps: the payments of the new key are not to leave by another way unasked.
      if (open.route.view !== null) await generations.bequeath(open.route.view);
      await generations.succeed();
      return null;
    },
  };
}

/** Ceremonies, as the pages ask for them. */
import { hex } from '@scure/base';
import { type CeremonyAct, type CeremonyView, ceremonyAct } from '../../protocol/ceremony.ts';
import { decode, encode } from '../../protocol/codec.ts';
import { ensure } from '../../protocol/errors.ts';
import { offlineMessage } from '../../protocol/offline.ts';
import type { CeremonyInfo } from '../port.ts';
import type { Handlers, Inside } from './subject.ts';

type Bytes = Uint8Array<ArrayBuffer>;
type CeremonyMethod = 'ceremonies' | 'sayCeremony' | 'askWords' | 'bringWords' | 'carryOut';

export function ceremonyHandlers(inside: Inside): Handlers<CeremonyMethod> {
  const told = toldOf(inside);
  return {
    ceremonies: async () => {
      const { ceremonies } = await inside.unlocked();
      const { all, policy, webhookKey } = await inside.reach(() => ceremonies.look());
      inside.tell();
      const { contact, delay, frozen } = policy;
      const key = webhookKey === null ? null : hex.encode(webhookKey);
      return { ceremonies: all.map(infoOf), contact, delayMs: delay, frozen, webhookKey: key };
    },
    sayCeremony: async ({ id, says }) => {
      const { ceremonies } = await inside.unlocked();
      return told(infoOf(await inside.reach(() => ceremonies.say(idOf(id), says))));
    },
    askWords: async ({ says, id }) => {
      const { wallet } = await inside.unlocked();
      const { env } = inside.parts;
      const { network } = wallet.key;
      const act: CeremonyAct =
        says === 'freeze'
          ? { kind: 'freeze', network, random: env.random(16) }
          : { kind: 'say', ceremony: idOf(id), says, at: env.now() };
      return { message: encode(offlineMessage, { kind: 'act', act: encode(ceremonyAct, act) }) };
    },
    bringWords: async ({ message }) => {
      const { ceremonies } = await inside.unlocked();
      const said = decode(offlineMessage, message);
      ensure(said.kind === 'acted', 'WrongSession', { detail: `offline ${said.kind}` });
      const view = await inside.reach(() => ceremonies.bring(said.message));
      return told({ ceremony: view === null ? null : infoOf(view) });
    },
    carryOut: async ({ id }) => {
      const { ceremonies } = await inside.unlocked();
      await inside.reach(() => ceremonies.carryOut(idOf(id)));
      return told(true as const);
    },
  };
}

/** What was done shows at once, whatever the look after it brings. */
export function toldOf(inside: Inside): <T>(result: T) => Promise<T> {
  return async (result) => {
    const { ceremonies } = await inside.unlocked();
    await ceremonies.look().catch(() => {});
    inside.tell();
    return result;
  };
}

export function infoOf({
  id,
  purpose,
  openedBy,
  openedAt,
  approvals,
  contests,
  phase,
  leftMs,
}: CeremonyView): CeremonyInfo {
  return {
    id: hex.encode(id),
    purpose: purpose.kind,
    openedBy,
    openedAt,
    approvals,
    contests,
    phase,
    leftMs: Number(leftMs),
  };
}

function idOf(text: string): Bytes {
  ensure(/^[0-9a-f]{64}$/.test(text), 'SessionUnknown');
  return Uint8Array.from(hex.decode(text));
}

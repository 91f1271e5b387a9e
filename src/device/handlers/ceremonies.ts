/** Ceremonies and the rules, as the pages ask for them. */
import { hex } from '@scure/base';
import { addressOf, parseAddress } from '../../bitcoin/address.ts';
import type { Policy } from '../../policy/document.ts';
import { type CeremonyAct, type CeremonyView, ceremonyAct } from '../../protocol/ceremony.ts';
import { decode, encode } from '../../protocol/codec.ts';
import { ensure } from '../../protocol/errors.ts';
import type { Network } from '../../protocol/networks.ts';
import { offlineMessage } from '../../protocol/offline.ts';
import { readContact } from '../../protocol/terms.ts';
import type { CeremonyInfo, Rules } from '../port.ts';
import type { Handlers, Inside } from './subject.ts';

type Bytes = Uint8Array<ArrayBuffer>;
type CeremonyMethod =
  | 'ceremonies'
  | 'sayCeremony'
  | 'askWords'
  | 'bringWords'
  | 'rules'
  | 'setRules'
  | 'carryOut';

export function ceremonyHandlers(inside: Inside): Handlers<CeremonyMethod> {
  /** What was done shows at once, whatever the look after it brings. */
  const told = async <T>(result: T): Promise<T> => {
    const { ceremonies } = await inside.unlocked();
    await ceremonies.look().catch(() => {});
    inside.tell();
    return result;
  };
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
      return told(view === null ? null : infoOf(view));
    },
    rules: async () => {
      const { ceremonies, wallet } = await inside.unlocked();
      const { policy } = await inside.reach(() => ceremonies.look());
      return rulesOf(policy, wallet.key.network);
    },
    setRules: async (rules) => {
      const { ceremonies, wallet } = await inside.unlocked();
      const { network } = wallet.key;
      const view = await inside.reach(() =>
        ceremonies.changeRules((policy) => withRules(policy, rules, network)),
      );
      return told(view === null ? null : infoOf(view));
    },
    carryOut: async ({ id }) => {
      const { ceremonies } = await inside.unlocked();
      await inside.reach(() => ceremonies.carryOut(idOf(id)));
      return told(null);
    },
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

function rulesOf(policy: Policy, network: Network): Rules {
  const { windows, perTransaction, hold, payees, frozen, delay, contact } = policy;
  return {
    dailyLimit: windows[0]?.limit ?? null,
    perTransaction,
    hold: hold === null ? null : { above: hold.above, delayMs: Number(hold.delay) },
    payees: payees?.map((script) => addressOf(script, network) ?? hex.encode(script)) ?? null,
    frozen,
    delayMs: delay,
    contact,
  };
}

/** The policy with these rules in place of its own; what the screens do not show stays. `BadAddress`, `WrongNetwork`, `BadAmount`. */
function withRules(policy: Policy, rules: Rules, network: Network): Policy {
  const { dailyLimit, perTransaction, hold, payees, frozen, delayMs, contact } = rules;
  for (const sats of [dailyLimit, perTransaction, hold?.above])
    ensure(sats == null || sats >= 0n, 'BadAmount', { detail: 'rules' });
  const [window, ...others] = policy.windows;
  const day = window ?? { limit: 0n, start: 0, interval: 86_400_000n };
  const scripts = payees?.map((text) => Uint8Array.from(parseAddress(text.trim(), network).script)) ?? null;
  return {
    ...policy,
    windows: dailyLimit === null ? others : [{ ...day, limit: dailyLimit }, ...others],
    perTransaction,
    hold: hold === null ? null : { above: hold.above, delay: BigInt(hold.delayMs) },
    payees: scripts === null ? null : sorted(scripts),
    frozen,
    delay: delayMs,
    contact: contact === null ? null : (readContact(contact) ?? contact),
  };
}

/** In byte order, each once: the policy's one form. */
function sorted(scripts: readonly Bytes[]): Bytes[] {
  return [...new Set(scripts.map((script) => hex.encode(script)))]
    .sort()
    .map((text) => Uint8Array.from(hex.decode(text)));
}

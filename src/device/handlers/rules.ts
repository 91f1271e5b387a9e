/** What the cosigner may sign, and the payments that wait by it, as the pages ask for them. */
import { hex } from '@scure/base';
import { addressOf, parseAddress } from '../../bitcoin/address.ts';
import type { Policy } from '../../policy/document.ts';
import { ensure } from '../../protocol/errors.ts';
import type { Network } from '../../protocol/networks.ts';
import { readContact } from '../../protocol/terms.ts';
import type { Rules } from '../port.ts';
import { infoOf, toldOf } from './ceremonies.ts';
import type { Handlers, Inside } from './subject.ts';

type Bytes = Uint8Array<ArrayBuffer>;

export function rulesHandlers(inside: Inside): Handlers<'rules' | 'setRules' | 'holds' | 'cancelHold'> {
  const told = toldOf(inside);
  return {
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
      return told({ ceremony: view === null ? null : infoOf(view) });
    },
    holds: async () => {
      const { channel, payments } = await inside.unlocked();
      const { holds } = await inside.reach(async () =>
        (await channel.connection()).request({ kind: 'holds' }, 'holds'),
      );
      return {
        holds: holds.map(({ ticket, spend, loss, until }) => {
          const txid = hex.encode(spend);
          const address = payments.rows.find((row) => row.txid === txid)?.address ?? null;
          return { ticket: hex.encode(ticket), txid, address, loss, until };
        }),
      };
    },
    cancelHold: async ({ ticket }) => {
      const { channel } = await inside.unlocked();
      ensure(/^[0-9a-f]{32}$/.test(ticket), 'SessionUnknown');
      const asked = { kind: 'cancelHold', ticket: Uint8Array.from(hex.decode(ticket)) } as const;
      await inside.reach(async () => (await channel.connection()).request(asked, 'done'));
      return true;
    },
  };
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

import { describe, expect, test, vi } from 'vitest';
import type { OfflineMessage } from '../../src/protocol/offline.ts';
import { formShares } from '../../src/ui/onboarding/forming.ts';
import { type Errand, RemoteRecovery } from '../../src/ui/onboarding/remoteRecovery.ts';
import type { DeviceClient } from '../../src/ui/portClient.ts';
import { termsOf } from '../support/terms.ts';

const cosigner = { host: 'localhost:8443', fingerprint: 'ab'.repeat(32) };
const bytes = (...all: number[]) => Uint8Array.from(all);
const said = (round: 'hello' | 'round1' | 'round2' | 'certify', n: number): OfflineMessage => ({
  kind: 'keygenSaid',
  round,
  message: bytes(n),
});

function remote() {
  const errands: (Errand | null)[] = [];
  const recovery = new RemoteRecovery(cosigner, (errand) => void errands.push(errand));
  return { recovery, errands, due: () => errands.at(-1) ?? null };
}

describe('recovery on another device, as the onboarding page carries for it', () => {
  test('each step is a message there and the answer that is due back', async () => {
    const { recovery, due } = remote();
    const terms = termsOf(1_000n);
    const hello = recovery.begin(['never', 'sent'], 'regtest', terms);
    expect(due()).toEqual({
      message: {
        kind: 'keygenStart',
        network: 'regtest',
        terms,
        host: 'localhost:8443',
        cosigner: new Uint8Array(32).fill(0xab),
      },
      awaits: 'hello',
      number: 1,
    });
    recovery.hear(said('hello', 1));
    expect(await hello).toEqual(bytes(1));
    expect(due()).toBeNull();

    const messages = [bytes(1), bytes(2), bytes(3)];
    for (const [i, [step, heard, back]] of (
      [
        ['round1', 'hello', 'round1'],
        ['round2', 'round1', 'round2'],
        ['certify', 'round2', 'certify'],
      ] as const
    ).entries()) {
      const answer = recovery[step](messages);
      expect(due()).toEqual({
        message: { kind: 'keygenHeard', round: heard, messages },
        awaits: back,
        number: i + 2,
      });
      recovery.hear(said(back, 9));
      expect(await answer).toEqual(bytes(9));
    }

    const done = recovery.finish(bytes(7));
    expect(due()).toMatchObject({ message: { kind: 'keygenDone' }, awaits: null, number: 5 });
    recovery.seen();
    await done;
  });

  test('another answer than is due changes nothing', async () => {
    const { recovery, due } = remote();
    const step = recovery.round1([]);
    const settled = vi.fn();
    step.then(settled, settled);
    for (const wrong of [
      said('hello', 1),
      said('certify', 1),
      { kind: 'keygenDone', certificate: bytes(1) } as const,
    ])
      expect(() => recovery.hear(wrong)).toThrow(expect.objectContaining({ code: 'WrongSession' }));
    recovery.seen();
    await Promise.resolve();
    expect(settled).not.toHaveBeenCalled();
    expect(due()?.number).toBe(2);
    recovery.hear(said('round1', 4));
    expect(await step).toEqual(bytes(4));
    expect(() => recovery.hear(said('round1', 4))).toThrow(expect.objectContaining({ code: 'WrongSession' }));
  });

  test('a stop is not taken for an interruption, after which the session would begin again', async () => {
    const { recovery, errands } = remote();
    const call = vi.fn(async () => ({ certificate: null }));
    const client = { call } as unknown as DeviceClient;
    const plan = { uri: '', network: 'regtest' as const, password: '', terms: termsOf(1n), words: [] };
    const forming = formShares(client, recovery, plan, () => {});
    await Promise.resolve();
    recovery.wipe();
    await expect(forming).rejects.toMatchObject({ code: 'NoWallet' });
    expect(errands.filter((errand) => errand !== null)).toHaveLength(1);
    expect(call).not.toHaveBeenCalled();
  });

  test('a stop, or a new session, ends the step that waits', async () => {
    const { recovery, due } = remote();
    const first = recovery.begin([], 'regtest', termsOf(1n));
    const second = recovery.begin([], 'regtest', termsOf(1n));
    await expect(first).rejects.toMatchObject({ code: 'NoWallet' });
    recovery.wipe();
    await expect(second).rejects.toMatchObject({ code: 'NoWallet' });
    expect(due()).toBeNull();
  });
});

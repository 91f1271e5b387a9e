import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { PortMethod } from '../../src/device/port.ts';
import { type ErrorCode, HoarfrostError } from '../../src/protocol/errors.ts';
import {
  type FormingPlan,
  type FormingProgress,
  formShares,
  RESTARTS_MAX,
} from '../../src/ui/onboarding/forming.ts';
import type { RecoveryActor } from '../../src/ui/onboarding/recoveryPort.ts';
import { completed, wordProblem } from '../../src/ui/parts/words.tsx';
import type { DeviceClient } from '../../src/ui/portClient.ts';
import { termsOf } from '../support/terms.ts';

const CERTIFICATE = Uint8Array.of(9);
const plan: FormingPlan = {
  uri: 'hoarfrost:x',
  network: 'regtest',
  password: 'p',
  terms: termsOf(1n),
  words: ['a'],
};

/** A device and a recovery that log what they are asked; `failing` says how a method ends, by how often it was asked. */
function parties(
  failing: (method: PortMethod, nth: number) => ErrorCode | null,
  resumed: Uint8Array | null = null,
) {
  const log: string[] = [];
  const asked = new Map<string, number>();
  const client = {
    call: async (method: PortMethod) => {
      log.push(method);
      const nth = (asked.get(method) ?? 0) + 1;
      asked.set(method, nth);
      const code = failing(method, nth);
      if (code !== null) throw new HoarfrostError(code);
      if (method === 'keygenResume') return { certificate: resumed };
      if (method === 'keygenCertify') return { certificate: CERTIFICATE };
      return method === 'keygenStart' ? { hellos: [] } : { messages: [] };
    },
  } as unknown as DeviceClient;
  const step = (name: string) => async () => {
    log.push(name);
    return Uint8Array.of(1);
  };
  const recovery = {
    begin: async (...args: Parameters<RecoveryActor['begin']>) => {
      expect(args).toEqual([['a'], 'regtest', plan.terms]);
      return step('begin')();
    },
    round1: step('round1'),
    round2: step('round2'),
    certify: step('certify'),
    finish: async (certificate: Uint8Array) => void log.push(`finish ${certificate}`),
  } as unknown as RecoveryActor;
  return { client, recovery, log };
}

const SESSION = [
  'begin',
  'keygenStart',
  'round1',
  'keygenRound1',
  'round2',
  'keygenRound2',
  'certify',
  'keygenCertify',
];
const ROUNDS = ['keygenStart', 'keygenRound1', 'keygenRound2', 'keygenCertify'] as const;

describe('forming the shares', () => {
  beforeEach(() => void vi.useFakeTimers());
  afterEach(() => void vi.useRealTimers());

  async function run(made: ReturnType<typeof parties>, again = false) {
    const progress: FormingProgress[] = [];
    const outcome = formShares(
      made.client,
      made.recovery,
      { ...plan, words: ['a'] },
      (p) => progress.push(p),
      again,
    ).then(
      () => 'formed',
      (e: unknown) => (e instanceof HoarfrostError ? e.code : String(e)),
    );
    await vi.runAllTimersAsync();
    return { outcome: await outcome, progress };
  }

  it('carries each message from one party to the other, in order', async () => {
    const made = parties(() => null);
    const { outcome, progress } = await run(made);
    expect(outcome).toBe('formed');
    expect(made.log).toEqual([...SESSION, 'finish 9']);
    expect(progress.map((p) => p.step)).toEqual(['numbers', 'pieces', 'record', 'check', 'done']);
  });

  it.each(ROUNDS)('begins again from the words after a worker died in %s', async (died) => {
    const made = parties((method, nth) => (method === died && nth === 1 ? 'ChannelClosed' : null));
    const { outcome, progress } = await run(made);
    expect(outcome).toBe('formed');
    const first = SESSION.slice(0, SESSION.indexOf(died) + 1);
    expect(made.log).toEqual([...first, 'keygenResume', ...SESSION, 'finish 9']);
    expect(progress.at(-1)).toEqual({ step: 'done', restarts: 1 });
  });

  it('takes the certificate of the finished wallet if the worker died after it', async () => {
    const made = parties((method) => (method === 'keygenCertify' ? 'ChannelClosed' : null), Uint8Array.of(7));
    const { outcome } = await run(made);
    expect(outcome).toBe('formed');
    expect(made.log).toEqual([...SESSION, 'keygenResume', 'finish 7']);
  });

  it('looks for a finished wallet before a second try of the user', async () => {
    const made = parties(() => null, Uint8Array.of(7));
    expect((await run(made, true)).outcome).toBe('formed');
    expect(made.log).toEqual(['keygenResume', 'finish 7']);
  });

  it('does not try again by itself what a party refused', async () => {
    for (const code of ['TokenExpired', 'TranscriptMismatch', 'BadWords', 'WeakPassword'] as const) {
      const made = parties((method) => (method === 'keygenRound1' ? code : null));
      expect((await run(made)).outcome).toBe(code);
      expect(made.log.filter((entry) => entry === 'begin')).toHaveLength(1);
    }
  });

  it('gives up after so many interruptions', async () => {
    const made = parties((method) => (method === 'keygenRound1' ? 'DeadlineExceeded' : null));
    expect((await run(made)).outcome).toBe('DeadlineExceeded');
    expect(made.log.filter((entry) => entry === 'begin')).toHaveLength(RESTARTS_MAX + 1);
  });
});

describe('typing the words back', () => {
  const list = ['sausage', 'satisfy', 'sauce', 'act', 'action', 'actor'];
  const check = (word: string) => (list.includes(word) ? 'ok' : 'unknown');

  it('completes from four letters on, where they decide', () => {
    expect(completed(' SAUS ', list)).toBe('sausage');
    expect(completed('sau', list)).toBe('sau');
    expect(completed('acti', list)).toBe('action');
    expect(completed('act', list)).toBe('act');
  });

  it('tells a wrong word from no word', () => {
    expect(wordProblem('sausage', 'sausage', check)).toBe('none');
    expect(wordProblem('', 'sausage', check)).toBe('none');
    expect(wordProblem('satisfy', 'sausage', check)).toBe('different');
    expect(wordProblem('sausge', 'sausage', check)).toBe('unknown');
  });
});

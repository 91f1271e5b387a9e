/** What a ceremony about the rules allows: a looser policy by the cosigner's own statement, and none that was contested. */
import { describe, expect, test } from 'vitest';
import { encodePolicy, type Policy } from '../../src/policy/document.ts';
import { byDevice, byWords, opening, saying } from '../support/ceremonies.ts';
import {
  ask,
  born,
  client,
  device,
  eachInItsOwnWorld,
  listed,
  pass,
  restart,
  running,
  start,
  statusOf,
  stranger,
  time,
} from '../support/ceremonyWorld.ts';
import { newDevice, policyOf } from '../support/cosigner.ts';
import { changePolicy, type PolicySigner } from '../support/policyChange.ts';

const code = (name: string) => expect.objectContaining({ code: name });
const HOUR = 3_600_000;
const DAY = 24 * HOUR;
const DELAY = 7 * DAY;

eachInItsOwnWorld();

const changeTo = (previous: Policy, next: Policy, by: PolicySigner[]) =>
  changePolicy(client, device, running.cosigner.identity, previous, next, by);

describe('the policy', () => {
  const loose = { ...policyOf(), version: 2, windows: [] };
  const asked = () => opening({ kind: 'loosenPolicy', document: encodePolicy(loose) });

  test('is loosened by the device alone once its ceremony has waited, by the cosigner’s own statement', async () => {
    await born();
    const { id } = await byDevice(client, device, asked());
    const statementNow = async () =>
      (await listed()).find((each) => String(each.id) === String(id))!.statement;
    expect(await statementNow()).toBeNull();
    await pass(DELAY);
    const signature = (await statementNow())!;
    expect(signature).toHaveLength(64);
    // Of a stranger's business it is not.
    expect((await statusOf(id)).statement).toBeNull();
    await expect(
      changeTo(policyOf(), { ...loose, feeRate: 1n }, ['device', { id, signature }]),
    ).rejects.toEqual(code('Unauthorised'));
    await changeTo(policyOf(), loose, ['device', { id, signature }]);
    expect((await client.hello()).policyVersion).toBe(2);
    expect(await statusOf(id)).toMatchObject({ phase: 'done' });
    // All of it is verified again, from the store.
    await restart();
    await ask('signed', 900_000n);
    expect((await client.hello()).policyVersion).toBe(2);
  });

  test('is not loosened by a statement whose ceremony was contested after it was given', async () => {
    await born();
    const { id } = await byDevice(client, device, asked());
    await pass(DELAY);
    const statement = (await listed())[0]!.statement!;
    await byWords(stranger, device, saying({ id }, 'contest', time.now));
    await expect(changeTo(policyOf(), loose, ['device', { id, signature: statement }])).rejects.toEqual(
      code('CeremonyWaits'),
    );
  });

  test('that has another version by now is given no statement', async () => {
    await born();
    const { id } = await byDevice(client, device, asked());
    await pass(DELAY);
    await changeTo(policyOf(), { ...policyOf(), version: 2, feeRate: 1n }, ['device']);
    expect((await listed()).find((each) => String(each.id) === String(id))).toMatchObject({
      phase: 'ripe',
      statement: null,
    });
  });

  test('asked for must be the next version, allow more, and name a contact that can be told', async () => {
    await born();
    const ask_ = (change: Partial<Policy>) =>
      byDevice(
        client,
        device,
        opening({ kind: 'loosenPolicy', document: encodePolicy({ ...loose, ...change }) }),
      );
    await expect(ask_({ version: 3 })).rejects.toEqual(code('WrongVersion'));
    await expect(ask_({ windows: policyOf().windows })).rejects.toEqual(code('BadEncoding'));
    await expect(ask_({ contact: 'mailto:me@example.org' })).rejects.toEqual(code('ContactUnavailable'));
    expect(await listed()).toEqual([]);
  });

  test('of a wallet that is born names no contact that cannot be told', async () => {
    await start();
    for (const contact of ['mailto:me@example.org', 'https://example.org/hook'])
      await expect(newDevice(running, policyOf({ contact }))).rejects.toEqual(code('ContactUnavailable'));
  });
});

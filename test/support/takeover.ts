/** A wallet's way to another cosigner, with the device and the recovery page played by hand: what a test may spoil on the way. */
import { load } from '../../src/crypto/load.ts';
import { systemRandom as random } from '../../src/crypto/random.ts';
import { completeRecord, type Epoch, firstEpoch } from '../../src/frost/epoch.ts';
import { followRecords } from '../../src/frost/records.ts';
import * as repair from '../../src/frost/repair.ts';
import { encodePolicy, type Policy } from '../../src/policy/document.ts';
import { generateNoiseKeyPair } from '../../src/protocol/noise.ts';
import { approveOffer, joinOffer, openOffer, sumOffer } from '../../src/recovery/repair.ts';
import type { RecoveryKeys } from '../../src/recovery/words.ts';
import {
  addressOf,
  type Bytes,
  Client,
  enrol,
  partiesFor,
  policyOf,
  type Running,
  type TestDevice,
} from './cosigner.ts';

/** A device, its connection, and the words. */
export interface Owner {
  readonly device: TestDevice;
  readonly client: Client;
  readonly words: RecoveryKeys;
}

export async function newOwner(running: Running, policy: Policy = policyOf()): Promise<Owner> {
  const noise = await generateNoiseKeyPair();
  const client = await Client.connect(addressOf(running), noise);
  const selves = await partiesFor(noise, encodePolicy(policy));
  const device = await enrol(client, noise, await running.token(), { selves });
  const { host, encryption } = selves[1];
  return { device, client, words: { host, encryption } };
}

export async function epochOf({ keys }: TestDevice, records: readonly Bytes[]): Promise<Epoch> {
  const signer = await load();
  return followRecords(signer, keys, records).at(-1) ?? firstEpoch(signer, keys);
}

export interface Finish {
  certificate: Bytes;
  records: Bytes[];
  policies: Bytes[];
  opens: Bytes[];
  sums: Bytes[];
}

/** Up to the new cosigner's certificate; what is left is both approvals. */
export async function offerShare(
  { device, words }: Owner,
  to: { client: Client; token: string; hostKey: Bytes },
  options: { records?: Bytes[]; policies?: Bytes[]; spoil?: (finish: Finish) => Finish } = {},
) {
  const { records = [], policies = [], spoil = (finish) => finish } = options;
  const signer = await load();
  const { client, token, hostKey } = to;
  const { certificate, host, share } = device;
  const epoch = await epochOf(device, records);
  const ceremony = random(32);
  const { message: hello } = await client.ask({ kind: 'takeoverOpen', token, ceremony }, 'party');
  const self = { id: 1, host, epoch, ceremony, target: { id: 2, hostKey } } as const;
  const [joined, open] = await repair.joinRepair(signer, self, hello, random);
  const bundle = { certificate, copies: [records] };
  const offer = openOffer(signer, { kind: 'repairOffer', bundle, ceremony, target: 2, hello, open });
  const [page, said] = await joinOffer(signer, words, offer, random);
  const [split, delta] = await repair.splitRepair(signer, joined, share, said.open, random);
  const [summed, sum] = await repair.sumRepair(signer, split, said.delta, random);
  const [paged, theirs] = await sumOffer(signer, page, { kind: 'repairDelta', delta, sum }, random);
  const sums = [sum, theirs.sum];
  const finish = spoil({ certificate, records, policies, opens: [open, said.open], sums });
  const { message: certify } = await client.ask({ kind: 'takeoverFinish', ...finish }, 'party');
  const approved = approveOffer(signer, paged, { kind: 'repairHeld', certify }, random);
  const [pending, own] = repair.approveRepair(signer, summed, sums, certify, random);
  const approvals = [own, approved.certify];
  const complete = () =>
    completeRecord(signer, epoch, pending, [
      { from: 2, message: certify },
      { from: 3, message: approved.certify },
    ]);
  return { approvals, complete };
}

/** All of it. Answers the complete record. */
export async function takeOver(owner: Owner, to: Running, client: Client): Promise<Bytes> {
  const { hostKey } = to.cosigner.identity;
  const { approvals } = await offerShare(owner, { client, token: await to.token(), hostKey });
  return (await client.ask({ kind: 'takeoverApprove', approvals }, 'repaired')).record;
}

/** A lost device or kit made anew at a real cosigner, with everybody else played by hand: what a test may spoil on the way. */
import { load } from '../../src/crypto/load.ts';
import { systemRandom as random } from '../../src/crypto/random.ts';
import { Secret } from '../../src/crypto/secret.ts';
import type { Epoch } from '../../src/frost/epoch.ts';
import { openRefresh, type RenewedShare, renewShare, revealRefresh } from '../../src/frost/refresh.ts';
import * as repair from '../../src/frost/repair.ts';
import { ceremonyId, deviceActHash, wordsActHash } from '../../src/policy/ceremony.ts';
import {
  type CeremonyAct,
  type CeremonyPurpose,
  ceremonyAct,
  wordsAct,
} from '../../src/protocol/ceremony.ts';
import { encode } from '../../src/protocol/codec.ts';
import type { AnswerOf } from '../../src/protocol/messages.ts';
import { generateNoiseKeyPair, type NoiseKeyPair } from '../../src/protocol/noise.ts';
import { approveOffer, joinOffer, openOffer, sumOffer } from '../../src/recovery/repair.ts';
import type { RecoveryKeys } from '../../src/recovery/words.ts';
import { addressOf, type Bytes, Client, type Running, type TestDevice } from './cosigner.ts';
import { epochOf, type Owner } from './takeover.ts';

export const hostKeyOf = async (host: Secret): Promise<Bytes> =>
  Uint8Array.from((await load()).publicKey(host).slice(1));

/** A new device before it has a share, and its connection. */
export interface NewDevice {
  readonly noise: NoiseKeyPair;
  readonly host: Secret;
  readonly client: Client;
}

export async function newDeviceAt(running: Running): Promise<NewDevice> {
  const noise = await generateNoiseKeyPair();
  return { noise, host: Secret.own(random(32)), client: await Client.connect(addressOf(running), noise) };
}

export const purposeOf = async ({ host, noise }: NewDevice): Promise<CeremonyPurpose> => ({
  kind: 'replaceDevice',
  hostKey: await hostKeyOf(host),
  noiseKey: noise.publicKey,
});

const opening = (purpose: CeremonyPurpose): Bytes =>
  encode(ceremonyAct, { kind: 'open', network: 'regtest', wallet: null, purpose, random: random(16) });

export async function byWords(client: Client, words: RecoveryKeys, act: Bytes) {
  const signer = await load();
  const signature = Uint8Array.from(signer.schnorrSign(words.host, wordsActHash(act), random(32)));
  const message = encode(wordsAct, { hostKey: await hostKeyOf(words.host), act, signature });
  return client.ask({ kind: 'actByWords', message }, 'ceremony');
}

export async function byDevice(client: Client, { share }: TestDevice, act: Bytes) {
  const signer = await load();
  const hash = deviceActHash(client.transport.handshakeHash, act);
  const proof = Uint8Array.from(signer.schnorrSign(share, hash, random(32)));
  return client.ask({ kind: 'actByDevice', act, proof }, 'ceremony');
}

/** The words ask for the new device's keys. Answers the ceremony's id. */
export async function askByWords(at: NewDevice, words: RecoveryKeys): Promise<Bytes> {
  const act = opening(await purposeOf(at));
  await byWords(at.client, words, act);
  return ceremonyId(act);
}

export async function askByDevice({ client, device }: Owner, purpose: CeremonyPurpose): Promise<Bytes> {
  const act = opening(purpose);
  await byDevice(client, device, act);
  return ceremonyId(act);
}

export const said = (ceremony: Bytes, says: 'approve' | 'contest', at: number): Bytes =>
  encode(ceremonyAct, { kind: 'say', ceremony, says, at } satisfies CeremonyAct);

export interface Spoil {
  hello?: (hello: Bytes) => Bytes;
  delta?: (delta: Bytes) => Bytes;
  approve?: (request: { sum: Bytes; certify: Bytes; approval: Bytes }) => typeof request;
}

/** Up to the last message, which is the caller's to send. Answers what the new device then holds too. */
export async function repairDevice(
  { noise, host, client }: NewDevice,
  words: RecoveryKeys,
  ceremony: Bytes,
  spoil: Spoil = {},
) {
  const signer = await load();
  const same = (message: Bytes) => message;
  const encryption = await generateNoiseKeyPair();
  const self = { id: 1, host, encryption, noiseKey: noise.publicKey, ceremony } as const;
  const [waiting, hello] = repair.openRepair(signer, self, random);
  const opened: AnswerOf<'repairOpened'> = await client.ask(
    { kind: 'repairOpen', ceremony, hello: (spoil.hello ?? same)(hello) },
    'repairOpened',
  );
  const { certificate, records, open } = opened;
  const bundle = { certificate, copies: [records] };
  const offer = openOffer(signer, { kind: 'repairOffer', bundle, ceremony, target: 1, hello, open });
  const [page, joined] = await joinOffer(signer, words, offer, random);
  const delta = (spoil.delta ?? same)(joined.delta);
  const split = await client.ask({ kind: 'repairSplit', open: joined.open, delta }, 'repairSplit');
  const [paged, { sum }] = await sumOffer(signer, page, { ...split, kind: 'repairDelta' }, random);
  const { epoch } = offer.wallet;
  const [finished, certify] = await repair.finishRepair(
    signer,
    waiting,
    epoch,
    [open, joined.open],
    [split.sum, sum],
    random,
  );
  const approval = approveOffer(signer, paged, { kind: 'repairHeld', certify }, random).certify;
  const request = (spoil.approve ?? ((r) => r))({ sum, certify, approval });
  const approve = async () => (await client.ask({ kind: 'repairApprove', ...request }, 'repaired')).record;
  return { approve, share: finished.share, epoch, certificate, records };
}

/** The rounds that a new kit begins with: the device's new share, before any kit is of its epoch. */
export async function renewDevice({ device, client }: Owner, epoch: Epoch): Promise<RenewedShare> {
  const signer = await load();
  const self = { id: 1, host: device.host, epoch } as const;
  const [opened, open] = await openRefresh(signer, self, random);
  const theirs = await client.ask({ kind: 'refreshOpen', message: open }, 'party');
  const [revealed, reveal] = await revealRefresh(signer, opened, theirs.message, random);
  const { message } = await client.ask({ kind: 'refreshReveal', message: reveal }, 'party');
  return renewShare(signer, revealed, device.share, message);
}

/** New words beside device and cosigner: up to the device's last message. */
export async function repairKit(
  owner: Owner,
  kit: RecoveryKeys,
  ceremony: Bytes,
  spoil: { renewed?: (own: RenewedShare) => RenewedShare | Promise<RenewedShare> } = {},
) {
  const { device, client } = owner;
  const signer = await load();
  const now = await epochOf(device, []);
  const renewed = await (spoil.renewed ?? ((own) => own))(await renewDevice(owner, now));
  const { host, encryption } = kit;
  const self = { id: 3, host, encryption, noiseKey: new Uint8Array(0), ceremony } as const;
  const [waiting, hello] = repair.openRepair(signer, self, random);
  const target = { id: 3, hostKey: await hostKeyOf(host), slope: renewed.slope } as const;
  const helper = { id: 1, host: device.host, epoch: now, ceremony, target } as const;
  const [joined, own] = await repair.joinRepair(signer, helper, hello, random);
  const { open } = await client.ask({ kind: 'repairOpen', ceremony, hello }, 'repairOpened');
  const [split, delta] = await repair.splitRepair(signer, joined, renewed.share, open, random);
  const theirs = await client.ask({ kind: 'repairSplit', open: own, delta }, 'repairSplit');
  const [summed, sum] = await repair.sumRepair(signer, split, theirs.delta, random);
  const sums = [sum, theirs.sum];
  const [finished, certify] = await repair.finishRepair(signer, waiting, now, [own, open], sums, random);
  const [, approval] = repair.approveRepair(signer, summed, sums, certify, random);
  const approve = async () =>
    (await client.ask({ kind: 'repairApprove', sum, certify, approval }, 'repaired')).record;
  return { approve, share: finished.share, next: finished.next, renewed: renewed.share };
}

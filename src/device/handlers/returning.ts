/**
 * A new browser, or one whose password is forgotten, on its way into an old wallet: the recovery page's words ask the
 * cosigner, which lets time pass and tells the others; then the share is made anew. A page that is closed loses one run of
 * that and nothing else.
 */
import { hex } from '@scure/base';
import type { Secret } from '../../crypto/secret.ts';
import { ceremonyId, wordsActHash } from '../../policy/ceremony.ts';
import { equalVar } from '../../protocol/bytes.ts';
import { type CeremonyView, ceremonyAct, wordsAct } from '../../protocol/ceremony.ts';
import { decode, encode } from '../../protocol/codec.ts';
import { ensure, HoarfrostError } from '../../protocol/errors.ts';
import type { AnswerOf } from '../../protocol/messages.ts';
import { generateNoiseKeyPair } from '../../protocol/noise.ts';
import { type OfflineMessage, offlineMessage } from '../../protocol/offline.ts';
import { type PublicState, readExported } from '../../protocol/publicState.ts';
import { Connection } from '../connection.ts';
import { type NewcomerRecord, newNewcomer, openNewcomer } from '../newcomer.ts';
import { parsePairing } from '../pairing.ts';
import type { ReturnView } from '../port.ts';
import { DeviceRepair } from '../repairDevice.ts';
import type { Caller, Handlers, Inside } from './subject.ts';

type Bytes = Uint8Array<ArrayBuffer>;

type ReturnMethod =
  | 'returning'
  | 'returnBegin'
  | 'returnQuestion'
  | 'returnLook'
  | 'returnFreeze'
  | 'returnStart'
  | 'returnAnswer'
  | 'returnStop';

export class Returning {
  readonly #inside: Inside;
  #run: { repair: DeviceRepair; owner: Caller } | null = null;
  #view: CeremonyView | null = null;

  constructor(inside: Inside) {
    this.#inside = inside;
  }

  get busy(): boolean {
    return this.#run !== null;
  }

  pageClosed(page: Caller): void {
    if (this.#run?.owner === page) this.#stop();
  }

  /** Null where no device is on its way in. */
  async view(): Promise<ReturnView | null> {
    const record = await this.#record();
    if (record === null) return null;
    const { cosigner, network, hostKey, request } = record;
    const view = this.#view;
    return {
      network,
      cosignerHost: `${cosigner.host}:${cosigner.port}`,
      fingerprint: hex.encode(hostKey),
      asked: request !== null,
      ceremony: view === null ? null : { phase: view.phase, leftMs: Number(view.leftMs) },
    };
  }

  readonly handlers: Handlers<ReturnMethod> = {
    returnBegin: async ({ uri, network, password }) => {
      const { db, env, signer } = this.#inside.parts;
      const pairing = parsePairing(uri);
      ensure(pairing.network === null || pairing.network === network, 'WrongNetwork');
      const { random } = env;
      const args = { cosigner: pairing, network, password, random };
      const record = await newNewcomer(signer, args, (keys) => {
        const purpose = { kind: 'replaceDevice', ...keys } as const;
        return encode(ceremonyAct, { kind: 'open', network, wallet: null, purpose, random: random(16) });
      });
      this.#stop();
      this.#view = null;
      await db.write([{ store: 'newcomer', key: 'newcomer', value: record }]);
      this.#inside.tell();
      return { message: question(record) };
    },
    returning: async () => ({ view: await this.view() }),
    returnQuestion: async () => ({ message: question(await this.#due()) }),
    returnLook: async () => {
      await this.#ask(await this.#due());
      return null;
    },
    returnFreeze: async () => {
      const { network } = await this.#due();
      const act = { kind: 'freeze', network, random: this.#inside.parts.env.random(16) } as const;
      return { message: encode(offlineMessage, { kind: 'act', act: encode(ceremonyAct, act) }) };
    },
    returnStart: async ({ password, saved }, owner) => {
      const record = await this.#due();
      ensure(this.#run === null || this.#run.owner === owner, 'OtherTab');
      this.#stop();
      const state = stateOf(saved);
      const newcomer = await openNewcomer(record, password);
      const { parts } = this.#inside;
      const started = await DeviceRepair.start(parts, newcomer, state, (dataKey) => this.#enter(dataKey));
      if (started === null) {
        await this.#arrived();
        return { message: null };
      }
      this.#run = { repair: started.run, owner };
      void started.run.closed.then(() => this.#ended(started.run));
      return { message: encode(offlineMessage, started.offer) };
    },
    returnAnswer: async ({ message }, owner) => {
      const answer = await this.#answer(decode(offlineMessage, message), owner);
      return { message: answer === null ? null : encode(offlineMessage, answer) };
    },
    returnStop: async () => {
      this.#stop();
      this.#view = null;
      await this.#inside.parts.db.write([{ store: 'newcomer', key: 'newcomer', value: null }]);
      this.#inside.tell();
      return null;
    },
  };

  async #answer(said: OfflineMessage, owner: Caller): Promise<OfflineMessage | null> {
    switch (said.kind) {
      case 'acted': {
        const record = await this.#due();
        if (decode(ceremonyAct, decode(wordsAct, said.message).act).kind === 'freeze') {
          await this.#bring(record, said.message, 'frozen');
          return null;
        }
        this.#checkRequest(record, said.message);
        const asked = { ...record, request: said.message };
        await this.#inside.parts.db.write([{ store: 'newcomer', key: 'newcomer', value: asked }]);
        await this.#ask(asked);
        return null;
      }
      case 'repairJoined':
        return this.#of(owner).joined(said);
      case 'repairSummed':
        return this.#of(owner).summed(said);
      case 'repairApproved':
        await this.#of(owner).approved(said, (dataKey) => this.#enter(dataKey));
        await this.#arrived();
        return null;
      default:
        throw new HoarfrostError('WrongSession', { detail: `offline ${said.kind}` });
    }
  }

  /** Tells the cosigner what the words said, again if it has heard it, and learns how it stands. */
  async #ask(record: NewcomerRecord): Promise<void> {
    ensure(record.request !== null, 'CeremonyWaits');
    this.#view = (await this.#bring(record, record.request, 'ceremony')).ceremony;
    this.#inside.tell();
  }

  async #bring<K extends 'ceremony' | 'frozen'>(
    { cosigner, network }: NewcomerRecord,
    message: Bytes,
    kind: K,
  ): Promise<AnswerOf<K>> {
    // A key of this one look: the own one is under the password.
    const local = await generateNoiseKeyPair();
    const { env } = this.#inside.parts;
    const { connection } = await Connection.open({ cosigner, network, local, env });
    try {
      return await connection.request({ kind: 'actByWords', message }, kind);
    } finally {
      connection.close();
    }
  }

  /** Throws `WrongSession` for another act than ours, `BadSignature`. */
  #checkRequest(record: NewcomerRecord, message: Bytes): void {
    const { hostKey, act, signature } = decode(wordsAct, message);
    ensure(equalVar(ceremonyId(act), ceremonyId(record.act)), 'WrongSession', { detail: 'another act' });
    const { signer } = this.#inside.parts;
    ensure(signer.schnorrVerify(hostKey, wordsActHash(act), signature), 'BadSignature', { detail: 'words' });
  }

  /** What another vault had open is over. */
  async #enter(dataKey: Secret): Promise<void> {
    if (this.#inside.vault !== null) await this.#inside.lock();
    await this.#inside.begin(dataKey);
  }

  async #arrived(): Promise<void> {
    this.#run = null;
    this.#view = null;
    await this.#inside.openWallet();
    // The share of the device that is lost must fit nothing: new ones, at once.
    void this.#inside.open?.refresher.tend();
    this.#inside.tell();
  }

  #record(): Promise<NewcomerRecord | null> {
    return this.#inside.parts.db.get('newcomer', 'newcomer');
  }

  async #due(): Promise<NewcomerRecord> {
    const record = await this.#record();
    ensure(record !== null, 'NoWallet');
    return record;
  }

  #of(owner: Caller): DeviceRepair {
    ensure(this.#run !== null, 'SessionUnknown', { detail: 'repair' });
    ensure(this.#run.owner === owner, 'OtherTab');
    return this.#run.repair;
  }

  #stop(): void {
    const run = this.#run?.repair;
    this.#run = null;
    run?.stop();
  }

  #ended(repair: DeviceRepair): void {
    if (this.#run?.repair === repair) this.#run = null;
  }
}

/** Throws `WrongSession` for a message that is no public state. */
function stateOf(saved: Uint8Array | null): PublicState | null {
  if (saved === null) return null;
  const said = decode(offlineMessage, saved);
  ensure(said.kind === 'exported', 'WrongSession', { detail: `offline ${said.kind}` });
  return readExported(said);
}

function question({ act }: NewcomerRecord): Bytes {
  return encode(offlineMessage, { kind: 'act', act });
}

/** A new kit, and the way to another cosigner, as the pages ask for them. A run belongs to the page that began it. */
import { hex } from '@scure/base';
import { decode, encode } from '../../protocol/codec.ts';
import { ensure } from '../../protocol/errors.ts';
import { signedBody } from '../../protocol/keygen.ts';
import { type OfflineMessage, type OfflineOf, offlineMessage } from '../../protocol/offline.ts';
import { repairHello } from '../../protocol/repair.ts';
import { Moving, settleMove } from '../moving.ts';
import { parsePairing } from '../pairing.ts';
import type { CeremonyInfo } from '../port.ts';
import { type KitRecord, KitRepair } from '../repairKit.ts';
import { infoOf } from './ceremonies.ts';
import type { Caller, Handlers, Inside, Open } from './subject.ts';

type Bytes = Uint8Array<ArrayBuffer>;
type RepairMethod =
  | 'kit'
  | 'kitWords'
  | 'kitAsk'
  | 'kitStart'
  | 'kitAnswer'
  | 'kitStop'
  | 'moving'
  | 'moveStart'
  | 'moveAnswer'
  | 'moveResume';

/** Before the ceremony there is none to name. */
const NO_CEREMONY = new Uint8Array(32);

export class Repairs {
  readonly #inside: Inside;
  #kit: { run: KitRepair; owner: Caller } | null = null;
  #move: { run: Moving; owner: Caller } | null = null;

  constructor(inside: Inside) {
    this.#inside = inside;
  }

  get busy(): boolean {
    return this.#kit !== null || this.#move !== null;
  }

  pageClosed(page: Caller): void {
    if (this.#kit?.owner === page) this.stop();
    else if (this.#move?.owner === page) this.stop();
  }

  /** Forgets what runs; what is durable stays. */
  stop(): void {
    this.#kit?.run.stop();
    this.#move?.run.stop();
    this.#kit = null;
    this.#move = null;
  }

  /** At every unlock, and when a page asks: an approved move is brought to its end. */
  async resume(): Promise<boolean> {
    const open = this.#inside.open;
    if (open === null) return false;
    const moved = await settleMove(this.#parts(open));
    if (moved) await this.#arrive();
    return moved;
  }

  /** At the other cosigner, where the one that is left has a share that must fit nothing: new ones, at once. */
  async #arrive(): Promise<void> {
    await this.#inside.reopen();
    void this.#inside.open?.refresher.tend();
  }

  readonly handlers: Handlers<RepairMethod> = {
    kit: async () => ({ ceremony: await this.#ceremony() }),
    kitWords: async () => {
      const open = await this.#inside.unlocked();
      return { message: encode(offlineMessage, offerOf(open, NO_CEREMONY, null)) };
    },
    kitAsk: async ({ message }) => {
      const { ceremonies } = await this.#inside.unlocked();
      const said = expect(message, 'kitHello');
      const { hostKey, encryptionKey } = decode(repairHello, decode(signedBody, said.hello).body);
      const purpose = { kind: 'replaceKit', hostKey, encryptionKey } as const;
      const view = await this.#inside.reach(() => ceremonies.open(purpose));
      const kit: KitRecord = { ceremony: view.id, hostKey, encryptionKey };
      await this.#inside.parts.db.write([{ store: 'kit', key: 'kit', value: kit }]);
      await ceremonies.look().catch(() => {});
      this.#inside.tell();
      return infoOf(view);
    },
    kitStart: async (_, owner) => {
      const open = await this.#inside.unlocked();
      const kit = await this.#inside.parts.db.get('kit', 'kit');
      ensure(kit !== null, 'SessionUnknown', { detail: 'kit' });
      this.#begin(owner);
      const connection = await this.#inside.reach(() => open.channel.connection());
      // An epoch that is not tested yet is not left for another one.
      await open.refresher.tend();
      this.#kit = { run: await KitRepair.start(this.#parts(open), kit, connection), owner };
      return { message: encode(offlineMessage, offerOf(open, kit.ceremony, kit.hostKey)) };
    },
    kitAnswer: async ({ message }, owner) => {
      ensure(this.#kit !== null, 'SessionUnknown', { detail: 'kit' });
      ensure(this.#kit.owner === owner, 'OtherTab');
      const { run } = this.#kit;
      const said = decode(offlineMessage, Uint8Array.from(message));
      if (said.kind === 'kitHello') return { message: encode(offlineMessage, await run.hello(said)) };
      await run.held(expect(message, 'kitHeld'));
      this.#kit = null;
      await this.#inside.parts.db.write([{ store: 'kit', key: 'kit', value: null }]);
      // Until the new shares are tested, those that the old words fit are still here and there.
      await this.#inside.open?.refresher.tend();
      this.#inside.tell();
      return { message: null };
    },
    kitStop: async () => {
      this.stop();
      await this.#inside.parts.db.write([{ store: 'kit', key: 'kit', value: null }]);
      return null;
    },
    moving: async () => {
      const row = await this.#inside.parts.db.get('move', 'move');
      return { to: row === null ? null : `${row.cosigner.host}:${row.cosigner.port}` };
    },
    moveStart: async ({ uri }, owner) => {
      const open = await this.#inside.unlocked();
      const pairing = parsePairing(uri);
      this.#begin(owner);
      const { run, offer } = await Moving.start(this.#parts(open), pairing, open.policies.signed);
      this.#move = { run, owner };
      return { message: encode(offlineMessage, offer), fingerprint: hex.encode(pairing.hostKey) };
    },
    moveAnswer: async ({ message }, owner) => {
      ensure(this.#move !== null, 'SessionUnknown', { detail: 'move' });
      ensure(this.#move.owner === owner, 'OtherTab');
      const { run } = this.#move;
      const said = decode(offlineMessage, Uint8Array.from(message));
      if (said.kind === 'repairJoined') return { message: encode(offlineMessage, await run.joined(said)) };
      if (said.kind === 'repairSummed') return { message: encode(offlineMessage, await run.summed(said)) };
      await run.approved(expect(message, 'repairApproved'));
      this.#move = null;
      await this.#arrive();
      return { message: null };
    },
    moveResume: async () => {
      await this.#inside.unlocked();
      return { done: await this.resume() };
    },
  };

  #begin(owner: Caller): void {
    const other = (this.#kit ?? this.#move)?.owner ?? owner;
    ensure(other === owner, 'OtherTab');
    this.stop();
  }

  #parts({ vault, wallet }: Open) {
    const { db, env, signer } = this.#inside.parts;
    return { db, env, signer, vault, wallet, epochs: wallet.epochs };
  }

  /** As the cosigner last said, or null where no kit is asked for. */
  async #ceremony(): Promise<CeremonyInfo | null> {
    const { ceremonies } = await this.#inside.unlocked();
    const kit = await this.#inside.parts.db.get('kit', 'kit');
    if (kit === null) return null;
    const { all } = await this.#inside.reach(() => ceremonies.look());
    const view = all.find(({ id }) => String(id) === String(kit.ceremony));
    return view === undefined ? null : infoOf(view);
  }
}

function offerOf({ wallet }: Open, ceremony: Bytes, hostKey: Bytes | null): OfflineOf<'kitOffer'> {
  const bundle = { certificate: wallet.certificate, copies: [wallet.epochs.records] };
  return { kind: 'kitOffer', bundle, ceremony, hostKey };
}

function expect<K extends OfflineMessage['kind']>(message: Uint8Array, kind: K): OfflineOf<K> {
  const said = decode(offlineMessage, Uint8Array.from(message));
  ensure(said.kind === kind, 'WrongSession', { detail: `offline ${said.kind}` });
  return said as OfflineOf<K>;
}

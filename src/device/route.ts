/**
 * Who hands a finished transaction to the network: the cosigner, or a server of the user's own that speaks Esplora's REST.
 * Where that server fails nobody else is asked, since the cosigner's node is what the user did not want it to come from. The
 * choice lies beside the wallet under the vault's seal: one that somebody else wrote there, or that is left of a vault before
 * this one, is asked about again and used for nothing until then.
 */
import { hex } from '@scure/base';
import { encodeTransaction, parseTransaction, txidOf } from '../bitcoin/transaction.ts';
import { createEsplora } from '../chain/esplora.ts';
import { baseUrl } from '../chain/http.ts';
import type { ChainSource } from '../chain/source.ts';
import type { Random } from '../crypto/random.ts';
import { encode, text } from '../protocol/codec.ts';
import { ensure, HoarfrostError, isHoarfrostError } from '../protocol/errors.ts';
import type { Network } from '../protocol/networks.ts';
import { taggedHash } from '../protocol/sha256.ts';
import type { Change, Database } from './database.ts';
import type { Environment } from './environment.ts';
import type { RouteView } from './port.ts';
import type { Vault } from './vault.ts';

type Bytes = Uint8Array<ArrayBuffer>;

/** Bytes. */
const URL_MAX = 300;

export interface RouteRecord {
  readonly url: string;
  readonly seal: Bytes;
}

/** A server as it is used: of this network, with a clock. */
interface Asked {
  readonly url: string;
  readonly network: Network;
  readonly env: Environment;
}

interface RouteParts {
  readonly db: Database;
  readonly env: Environment;
  readonly vault: Vault;
  readonly network: Network;
  readonly cosigner: ChainSource;
}

export class Route {
  readonly #parts: RouteParts;
  #view: RouteView | null;

  private constructor(parts: RouteParts, view: RouteView | null) {
    this.#parts = parts;
    this.#view = view;
  }

  static async open(parts: RouteParts): Promise<Route> {
    const record = await parts.db.get('route', 'route');
    if (record === null) return new Route(parts, null);
    return new Route(parts, { url: record.url, ours: await isOurs(parts.vault, record) });
  }

  /** Null: by the cosigner. */
  get view(): RouteView | null {
    return this.#view;
  }

  /** Holds for every transaction from here on, those under way too. Null: by the cosigner. `BadConfiguration`. */
  async choose(written: string | null): Promise<void> {
    const { db, vault } = this.#parts;
    const url = written === null ? null : routeUrl(written);
    const value = url === null ? null : { url, seal: await vault.vouch(routeHash(url)) };
    await db.write([{ store: 'route', key: 'route', value }]);
    this.#view = url === null ? null : { url, ours: true };
  }

  /** From the wallet before this one. Where this one has another already, its owner is asked which. */
  async inherit({ url, ours }: RouteView): Promise<void> {
    if (this.#view?.url === url) return;
    if (this.#view === null && ours) return this.choose(url);
    await Route.leave(this.#parts.db, { url });
    this.#view = { url, ours: false };
  }

  /** The same for a wallet that is locked and cannot vouch for any: its owner is asked. */
  static async leave(db: Database, { url }: Pick<RouteView, 'url'>): Promise<void> {
    if ((await db.get('route', 'route'))?.url === url) return;
    await db.write([{ store: 'route', key: 'route', value: { url, seal: new Uint8Array() } }]);
  }

  /**
   * The txid, once it was handed over. Throws `RouteUnavailable` or `RouteRejected` of the user's own server, whatever went
   * wrong there; what `ChainSource.broadcast` throws of the cosigner.
   */
  async broadcast(transaction: Uint8Array): Promise<string> {
    const { env, network, cosigner } = this.#parts;
    if (this.#view === null) return cosigner.broadcast(transaction);
    const { url, ours } = this.#view;
    ensure(ours, 'RouteUnavailable', { detail: 'not chosen here' });
    try {
      return await sendThrough({ url, network, env }, transaction);
    } catch (cause) {
      if (!isHoarfrostError(cause)) throw cause;
      const { code, detail = code, retryAfterMs } = cause;
      throw new HoarfrostError(code === 'BroadcastRejected' ? 'RouteRejected' : 'RouteUnavailable', {
        detail,
        cause,
        ...(retryAfterMs === undefined ? {} : { retryAfterMs }),
      });
    }
  }
}

/** Throws as `ChainSource.broadcast`; `WrongNetwork` before the server has seen the transaction, `BadConfiguration`. */
export function sendThrough(asked: Asked, transaction: Uint8Array): Promise<string> {
  return withServer(asked, async (server) => {
    const txid = await server.broadcast(transaction);
    ensure(txid === hex.encode(txidOf(parseTransaction(transaction))), 'ChainUnavailable', {
      detail: 'txid',
    });
    return txid;
  });
}

/**
 * Whether a server is of this network and takes transactions. It is given one that spends a coin that does not exist, and has
 * to refuse it. Throws `WrongNetwork`, `ChainUnavailable`, `BadConfiguration`.
 */
export function testServer(asked: Asked): Promise<{ height: number }> {
  return withServer(asked, async (server) => {
    const height = await server.height();
    try {
      await server.broadcast(impossible(asked.env.random));
    } catch (e) {
      if (isHoarfrostError(e) && e.code === 'BroadcastRejected') return { height };
      throw e;
    }
    throw new HoarfrostError('ChainUnavailable', { detail: 'takes what cannot be' });
  });
}

async function withServer<T>(
  { url, network, env }: Asked,
  work: (server: ChainSource) => Promise<T>,
): Promise<T> {
  const server = createEsplora({ url: routeUrl(url), network, now: env.now });
  try {
    return await work(server);
  } finally {
    server.close();
  }
}

/** What needs no TLS: this machine, and Tor, which encrypts by itself. The manifest's CSP names the same. */
const PLAIN = /^(?:localhost|127\.0\.0\.1|(?:[a-z0-9-]+\.)*[a-z2-7]{56}\.onion)$/;

/** The base of the server's addresses. `BadConfiguration` for one that would be read on its way, or that is none. */
export function routeUrl(written: string): string {
  const base = baseUrl(written.trim());
  const { protocol, hostname, username, password } = new URL(base);
  const bare = username === '' && password === '' && !/[?#]/.test(base) && base.length <= URL_MAX;
  ensure(bare && (protocol === 'https:' || PLAIN.test(hostname)), 'BadConfiguration', { detail: 'route' });
  return base;
}

/** Of another device: under no seal of ours, so that it is asked about before anything is sent. */
export function unsettledRoute(url: string): Change {
  return { store: 'route', key: 'route', value: { url, seal: new Uint8Array() } };
}

async function isOurs(vault: Vault, { url, seal }: RouteRecord): Promise<boolean> {
  try {
    await vault.ensureOurs(routeHash(url), seal);
    return true;
  } catch (e) {
    if (isHoarfrostError(e) && e.code === 'VaultDamaged') return false;
    throw e;
  }
}

function routeHash(url: string): Bytes {
  return taggedHash('hoarfrost/route', encode(text(URL_MAX), url));
}

/** Well formed, and of no network. */
function impossible(random: Random): Bytes {
  const outpoint = { txid: hex.encode(random(32)), vout: 0 };
  const input = { outpoint, scriptSig: new Uint8Array(), sequence: 0xffff_ffff, witness: [] };
  // As large as the smallest that nodes take.
  const script = Uint8Array.of(0x6a, 0x0a, ...random(10));
  return encodeTransaction({ version: 2, inputs: [input], outputs: [{ value: 0n, script }], locktime: 0 });
}

/**
 * The pairing link that a cosigner's command prints:
 * `hoarfrost:HOST:PORT?k=<Noise static, hex>&h=<host signing key, hex>[&t=<token>][&n=<network>]`.
 * It pins whom the device will ever talk to, so it is typed, pasted or scanned, and never opened from a page.
 */
import { hex } from '@scure/base';
import { ensure } from '../protocol/errors.ts';
import { NETWORKS, type Network } from '../protocol/networks.ts';
import type { PairingView } from './port.ts';

type Bytes = Uint8Array<ArrayBuffer>;

export interface Cosigner {
  readonly host: string;
  readonly port: number;
  /** X25519 static of the channel. */
  readonly noiseKey: Bytes;
  /** BIP-340 key that signs certificates and receipts. */
  readonly hostKey: Bytes;
}

export interface Pairing extends Cosigner {
  readonly token: string | null;
  readonly network: Network | null;
}

const URI_MAX = 1024;
const LINK = /^hoarfrost:(\[[0-9a-f:.]+\]|[a-z0-9](?:[a-z0-9.-]*[a-z0-9])?):([0-9]{1,5})\?([\x21-\x7e]+)$/;

/** Throws `BadPairing`, with the part that is wrong as detail. */
export function parsePairing(uri: string): Pairing {
  const trimmed = uri.trim();
  ensure(trimmed.length <= URI_MAX, 'BadPairing', { detail: 'length' });
  const match = LINK.exec(trimmed);
  ensure(match !== null, 'BadPairing', { detail: 'form' });
  const [, host, port, query] = match as unknown as [string, string, string, string];
  ensure(host.length <= 253 && isHost(host), 'BadPairing', { detail: 'host' });
  ensure(/^[1-9]/.test(port) && Number(port) <= 65_535, 'BadPairing', { detail: 'port' });

  const fields = new Map<string, string>();
  for (const pair of query.split('&')) {
    const [name, value, ...rest] = pair.split('=');
    ensure(rest.length === 0 && value !== undefined && value !== '', 'BadPairing', { detail: 'field' });
    ensure(['k', 'h', 't', 'n'].includes(name!) && !fields.has(name!), 'BadPairing', { detail: 'field' });
    fields.set(name!, value);
  }
  const token = fields.get('t') ?? null;
  ensure(token === null || /^[A-Za-z0-9_-]{1,128}$/.test(token), 'BadPairing', { detail: 'token' });
  const network = fields.get('n') ?? null;
  ensure(network === null || isNetwork(network), 'BadPairing', { detail: 'network' });
  return {
    host,
    port: Number(port),
    noiseKey: keyOf(fields.get('k'), 'k'),
    hostKey: keyOf(fields.get('h'), 'h'),
    token,
    network,
  };
}

export function pairingView({ host, port, noiseKey, network, token }: Pairing): PairingView {
  return { host: `${host}:${port}`, fingerprint: hex.encode(noiseKey), network, hasToken: token !== null };
}

/** Would a URL parser read the host as it stands? Numbers that turn into other addresses are refused. */
function isHost(host: string): boolean {
  return URL.parse(`wss://${host}/`)?.hostname === host;
}

function isNetwork(name: string): name is Network {
  return (NETWORKS as readonly string[]).includes(name);
}

function keyOf(text: string | undefined, field: string): Bytes {
  ensure(text !== undefined && /^[0-9a-f]{64}$/.test(text) && !/^0+$/.test(text), 'BadPairing', {
    detail: field,
  });
  return Uint8Array.from(hex.decode(text));
}

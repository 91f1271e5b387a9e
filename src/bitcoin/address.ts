/** Addresses and the scripts behind them (BIP-173, BIP-350, base58check). */
import { sha256 } from '@noble/hashes/sha2.js';
import { base58check, bech32, bech32m } from '@scure/base';
import { Address, OutScript } from '@scure/btc-signer';
import { HoarfrostError } from '../protocol/errors.ts';
import { NETWORKS, type Network } from '../protocol/networks.ts';
import { networkParams } from './network.ts';

export type AddressKind = 'p2pkh' | 'p2sh' | 'p2wpkh' | 'p2wsh' | 'p2tr' | 'p2a';

export interface ParsedAddress {
  script: Uint8Array;
  kind: AddressKind;
}

const base58 = base58check(sha256);
const KINDS = { pkh: 'p2pkh', sh: 'p2sh', wpkh: 'p2wpkh', wsh: 'p2wsh', tr: 'p2tr', p2a: 'p2a' } as const;
/** The longest address there is: 90 characters of bech32. */
const LENGTH_MAX = 90;

function parse(text: string, network: Network): ParsedAddress | null {
  try {
    const decoded = Address(networkParams(network).btc).decode(text);
    if (!(decoded.type in KINDS)) return null;
    return { script: OutScript.encode(decoded), kind: KINDS[decoded.type as keyof typeof KINDS] };
  } catch {
    return null;
  }
}

/**
 * The script that `text` pays to. `WrongNetwork` if it is an address of another network, `BadAddress` if of none: a bad
 * checksum, an unknown kind, or a Taproot key that is no point, which nobody could spend from.
 */
export function parseAddress(text: string, network: Network): ParsedAddress {
  if (text.length <= LENGTH_MAX) {
    const parsed = parse(text, network);
    if (parsed !== null) return parsed;
    if (NETWORKS.some((other) => parse(text, other) !== null)) throw new HoarfrostError('WrongNetwork');
  }
  throw new HoarfrostError('BadAddress');
}

function starts(script: Uint8Array, ...prefix: number[]): boolean {
  return prefix.every((byte, i) => script[i] === byte);
}

/** The address of a script, or null where it has none. Asks nothing of the curve: for showing, not for checking. */
export function addressOf(script: Uint8Array, network: Network): string | null {
  const { btc } = networkParams(network);
  const witness = script.subarray(2);
  switch (script.length) {
    case 25:
      if (!starts(script, 0x76, 0xa9, 0x14) || script[23] !== 0x88 || script[24] !== 0xac) return null;
      return base58.encode(Uint8Array.of(btc.pubKeyHash, ...script.subarray(3, 23)));
    case 23:
      if (!starts(script, 0xa9, 0x14) || script[22] !== 0x87) return null;
      return base58.encode(Uint8Array.of(btc.scriptHash, ...script.subarray(2, 22)));
    case 22:
      return starts(script, 0x00, 0x14) ? bech32.encode(btc.bech32, [0, ...bech32.toWords(witness)]) : null;
    case 34:
      if (starts(script, 0x00, 0x20)) return bech32.encode(btc.bech32, [0, ...bech32.toWords(witness)]);
      return starts(script, 0x51, 0x20) ? bech32m.encode(btc.bech32, [1, ...bech32m.toWords(witness)]) : null;
    case 4:
      return starts(script, 0x51, 0x02, 0x4e, 0x73)
        ? bech32m.encode(btc.bech32, [1, ...bech32m.toWords(witness)])
        : null;
    default:
      return null;
  }
}

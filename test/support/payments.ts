/** PSBTs as nobody honest would make them: ours, taken apart and put together by another implementation. */
import { sha256 } from '@noble/hashes/sha2.js';
import { hex, utf8 } from '@scure/base';
import { RawPSBTV0 } from '@scure/btc-signer/psbt.js';
import { type Account, deriveKey, type OwnPath } from '../../src/bitcoin/descriptor.ts';
import { buildPayment, type Coin, type PaymentOutput } from '../../src/bitcoin/psbt.ts';

export function coinAt(
  name: string,
  value: bigint,
  path: OwnPath = { branch: 0, index: 0 },
  height = 100,
): Coin {
  const txid = hex.encode(sha256(utf8.decode(`coin ${name}`)));
  return { outpoint: { txid, vout: 0 }, value, ...path, height, coinbase: false };
}

/** A payment with change of one coin, unless told otherwise. */
export function paymentOf(
  account: Account,
  parts: {
    coins?: readonly Coin[];
    outputs?: readonly PaymentOutput[];
    change?: { path: OwnPath; value: bigint } | null;
  } = {},
): Uint8Array {
  return buildPayment({
    account,
    coins: parts.coins ?? [coinAt('one', 100_000n)],
    outputs: parts.outputs ?? [{ script: strangerScript, value: 60_000n }],
    change: parts.change === undefined ? { path: { branch: 1, index: 0 }, value: 39_000n } : parts.change,
    randomness: Uint8Array.of(0, 0, 0, 1),
  });
}

export const strangerScript = hex.decode(
  '512079be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798',
);

type Raw = ReturnType<typeof RawPSBTV0.decode>;

/** The same PSBT after `change` has had its way with the fields. */
export function edited(psbt: Uint8Array, change: (raw: Raw) => void): Uint8Array {
  const raw = RawPSBTV0.decode(psbt);
  change(raw);
  return RawPSBTV0.encode(raw);
}

/** The tap fields by which `path` of `account` is claimed. */
export function claimOf(
  account: Account,
  path: OwnPath,
): Pick<Raw['outputs'][number], 'tapInternalKey' | 'tapBip32Derivation'> {
  const donor = RawPSBTV0.decode(paymentOf(account, { change: { path, value: 1n } }));
  const { internalKey } = deriveKey(account, path.branch, path.index);
  const found = donor.outputs.find(
    (o) => o.tapInternalKey && hex.encode(o.tapInternalKey) === hex.encode(internalKey),
  )!;
  return { tapInternalKey: found.tapInternalKey!, tapBip32Derivation: found.tapBip32Derivation! };
}

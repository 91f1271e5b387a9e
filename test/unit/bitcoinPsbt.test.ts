import { schnorr } from '@noble/curves/secp256k1.js';
import { base64, hex } from '@scure/base';
import { Transaction as Signer } from '@scure/btc-signer';
import { expect, test } from 'vitest';
import { deriveKey } from '../../src/bitcoin/descriptor.ts';
import { buildPayment, finalize, parsePsbt } from '../../src/bitcoin/psbt.ts';
import { sighashes } from '../../src/bitcoin/sighash.ts';
import { summarise } from '../../src/bitcoin/summary.ts';
import { encodeTransaction, parseTransaction } from '../../src/bitcoin/transaction.ts';
import { WireWriter } from '../../src/bitcoin/wire.ts';
import { INPUTS_MAX, OUTPUTS_MAX, PSBT_MAX } from '../../src/protocol/limits.ts';
import { coinAt, edited, paymentOf, strangerScript } from '../support/payments.ts';
import { wholeKey } from '../support/wholeKey.ts';

const key = wholeKey('psbt');
const other = wholeKey('psbt, another');
const { account } = key;

test('BIP-371: another implementation reads our payment, computes the same sighashes and finishes the same transaction', () => {
  const coins = [
    coinAt('a', 50_000n, { branch: 0, index: 4 }),
    coinAt('b', 51_000n, { branch: 1, index: 7 }),
  ];
  const psbt = paymentOf(account, { coins });
  const theirs = Signer.fromPSBT(psbt);
  const inputs = sighashes(parsePsbt(psbt), account);
  const scripts = coins.map(({ branch, index }) => deriveKey(account, branch, index).script);
  const values = coins.map(({ value }) => value);
  for (const { index, sighash } of inputs) {
    expect(hex.encode(theirs.preimageWitnessV1(index, scripts, 0, values))).toBe(hex.encode(sighash));
  }
  const signatures = inputs.map(key.sign);
  for (const [i, { sighash, expectedKey }] of inputs.entries()) {
    expect(schnorr.verify(signatures[i]!, sighash, expectedKey)).toBe(true);
    theirs.updateInput(i, { tapKeySig: signatures[i]! });
  }
  theirs.finalize();
  const ours = finalize(psbt, signatures);
  expect(hex.encode(ours.transaction)).toBe(theirs.hex);
  expect({ txid: ours.txid, vsize: ours.vsize }).toEqual({ txid: theirs.id, vsize: theirs.vsize });
  expect(ours.vsize).toBe(summarise(parsePsbt(psbt), account, { receive: 0, change: 0 }).vsize);
  expect(theirs.fee).toBe(2_000n);
});

test('what was built is what is read, and every input may be replaced', () => {
  const coins = [coinAt('a', 100_000n, { branch: 0, index: 4 })];
  const parsed = parsePsbt(paymentOf(account, { coins }));
  const { script, internalKey } = deriveKey(account, 0, 4);
  expect(parsed.inputs).toEqual([
    {
      outpoint: coins[0]!.outpoint,
      sequence: 0xffff_fffd,
      witnessUtxo: { script, value: 100_000n },
      sighashType: 0,
      tapPath: { internalKey, fingerprint: expect.any(Number), path: [0, 0, 4] },
    },
  ]);
  expect(parsed.outputs.map(({ value, tapPath }) => ({ value, path: tapPath?.path ?? null }))).toEqual(
    // Randomness 1 of two places: the change stands last.
    [
      { value: 60_000n, path: null },
      { value: 39_000n, path: [0, 1, 0] },
    ],
  );
});

test('where the change stands is decided by the randomness alone', () => {
  const at = (random: number) =>
    parsePsbt(
      buildPayment({
        account,
        coins: [coinAt('a', 10_000n)],
        outputs: [{ script: strangerScript, value: 5_000n }],
        change: { path: { branch: 1, index: 0 }, value: 4_000n },
        randomness: Uint8Array.of(0, 0, 0, random),
      }),
    ).outputs.findIndex(({ value }) => value === 4_000n);
  expect([0, 1, 2, 3].map(at)).toEqual([0, 1, 0, 1]);
});

test('outputs worth more than the coins are BadAmount', () => {
  expect(() => paymentOf(account, { change: { path: { branch: 1, index: 0 }, value: 40_001n } })).toThrow(
    'BadAmount',
  );
  expect(() => paymentOf(account, { coins: [] })).toThrow('BadAmount');
});

test('a payment of all the coins, with no fee, is one: what it loses is what it pays', () => {
  const psbt = parsePsbt(paymentOf(account, { change: { path: { branch: 1, index: 0 }, value: 40_000n } }));
  expect(summarise(psbt, account, { receive: 0, change: 0 })).toMatchObject({
    fee: 0n,
    feeRate: 0n,
    ownIn: 100_000n,
    ownOut: 40_000n,
    loss: 60_000n,
  });
});

test('audit-18: a PSBT over its limits is TooLarge before it is decoded', () => {
  expect(() => parsePsbt(new Uint8Array(PSBT_MAX + 1))).toThrow('TooLarge');
  const coins = Array.from({ length: INPUTS_MAX + 1 }, (_, i) => coinAt(`${i}`, 1_000n));
  expect(() => parsePsbt(paymentOf(account, { coins }))).toThrow('TooLarge');
  expect(parsePsbt(paymentOf(account, { coins: coins.slice(1) })).inputs).toHaveLength(INPUTS_MAX);
  const outputs = Array.from({ length: OUTPUTS_MAX + 1 }, () => ({ script: strangerScript, value: 1n }));
  expect(() => parsePsbt(paymentOf(account, { outputs, change: null }))).toThrow('TooLarge');
  // A count of inputs that the bytes cannot hold is no reason to make room for them.
  const claims = new WireWriter().put(hex.decode('70736274ff')).blob(Uint8Array.of(0));
  claims.blob(new WireWriter().u32(2).compactSize(0xffff_fff0).finish()).u8(0);
  expect(() => parsePsbt(claims.finish())).toThrow('BadPsbt');
});

test('a PSBT of twenty thousand fields is TooLarge', () => {
  const psbt = paymentOf(account);
  const flood = new WireWriter();
  for (let i = 0; i < 20_001; i++)
    flood.blob(new WireWriter().u8(0xef).u32(i).finish()).blob(new Uint8Array());
  const head = psbt.subarray(0, 5);
  const flooded = new WireWriter().put(head).put(flood.finish()).put(psbt.subarray(5)).finish();
  expect(() => parsePsbt(flooded)).toThrow('TooLarge');
});

test('a malformed PSBT is BadPsbt', () => {
  const psbt = paymentOf(account);
  const one = psbt.length - 1;
  for (const bad of [new Uint8Array(), psbt.subarray(0, one), Uint8Array.of(...psbt, 0), psbt.subarray(1)]) {
    expect(() => parsePsbt(bad)).toThrow('BadPsbt');
  }
  expect(() => parsePsbt(new TextEncoder().encode(base64.encode(psbt)))).toThrow('BadPsbt');
});

test('a key twice in one map is BadPsbt, even with the same value', () => {
  const psbt = paymentOf(account);
  // The last map is the change's: its internal key, once more, before the separator.
  const { internalKey } = deriveKey(account, 1, 0);
  const again = new WireWriter().put(psbt.subarray(0, -1)).blob(Uint8Array.of(0x05)).blob(internalKey).u8(0);
  expect(() => parsePsbt(again.finish())).toThrow('duplicate key');
});

test('a length in another than its shortest form is BadPsbt', () => {
  const psbt = paymentOf(account);
  expect(psbt[5]).toBe(1);
  const longer = Uint8Array.of(...psbt.subarray(0, 5), 0xfd, 1, 0, ...psbt.subarray(6));
  expect(() => parsePsbt(longer)).toThrow('compact size');
  const longest = Uint8Array.of(...psbt.subarray(0, 5), 0xfe, 1, 0, 0, 0, ...psbt.subarray(6));
  expect(() => parsePsbt(longest)).toThrow('compact size');
});

test('an input twice is BadPsbt: it would count twice', () => {
  const coin = coinAt('twice', 30_000n);
  expect(() => parsePsbt(paymentOf(account, { coins: [coin, coin, coinAt('b', 60_000n)] }))).toThrow(
    'an input twice',
  );
});

test('the previous transaction must hash to the txid it is given for, and agree with the output beside it', () => {
  const previous = parseTransaction(
    encodeTransaction({
      version: 2,
      locktime: 0,
      inputs: [
        {
          outpoint: { txid: '11'.repeat(32), vout: 0 },
          scriptSig: new Uint8Array(),
          sequence: 0,
          witness: [],
        },
      ],
      outputs: [{ script: deriveKey(account, 0, 0).script, value: 100_000n }],
    }),
  );
  const asTheirs = {
    ...previous,
    segwitFlag: false,
    lockTime: 0,
    inputs: previous.inputs.map((i) => ({
      txid: hex.decode(i.outpoint.txid),
      index: 0,
      finalScriptSig: i.scriptSig,
      sequence: 0,
    })),
    outputs: previous.outputs.map((o) => ({ amount: o.value, script: o.script })),
    witnesses: [],
  };
  const { txid } = finalizeless(previous);
  const coin = { ...coinAt('x', 100_000n), outpoint: { txid, vout: 0 } };
  const psbt = paymentOf(account, { coins: [coin] });
  const withPrevious = (change: (input: Record<string, unknown>) => void) =>
    edited(psbt, (raw) => {
      Object.assign(raw.inputs[0]!, { nonWitnessUtxo: asTheirs });
      change(raw.inputs[0]! as Record<string, unknown>);
    });
  expect(parsePsbt(withPrevious(() => {})).inputs[0]!.witnessUtxo!.value).toBe(100_000n);
  expect(
    parsePsbt(
      withPrevious((input) => {
        delete input.witnessUtxo;
      }),
    ).inputs[0]!.witnessUtxo!.value,
  ).toBe(100_000n);
  const lie = withPrevious((input) => {
    input.witnessUtxo = { amount: 100_001n, script: previous.outputs[0]!.script };
  });
  expect(() => parsePsbt(lie)).toThrow('BadPsbt');
  const elsewhere = edited(paymentOf(account), (raw) =>
    Object.assign(raw.inputs[0]!, { nonWitnessUtxo: asTheirs }),
  );
  expect(() => parsePsbt(elsewhere)).toThrow('BadPsbt');
});

function finalizeless(tx: ReturnType<typeof parseTransaction>): { txid: string } {
  return {
    txid: Signer.fromRaw(encodeTransaction(tx), { allowUnknownOutputs: true, allowUnknownInputs: true }).id,
  };
}

test('a PSBT that spends foreign inputs is ForeignInput, though its derivation claims them', () => {
  const foreign = paymentOf(other.account);
  expect(() => sighashes(parsePsbt(foreign), account)).toThrow('ForeignInput');
  // Another's script under our own derivation, and ours under a wrong one, or none.
  const mine = paymentOf(account);
  const theirScript = deriveKey(other.account, 0, 0).script;
  const claimed = edited(mine, (raw) => {
    raw.inputs[0]!.witnessUtxo = { amount: 100_000n, script: Uint8Array.from(theirScript) };
  });
  expect(() => sighashes(parsePsbt(claimed), account)).toThrow('ForeignInput');
  const moved = edited(mine, (raw) => {
    raw.inputs[0]!.tapBip32Derivation![0]![1].der.path[2] = 1;
  });
  expect(() => sighashes(parsePsbt(moved), account)).toThrow('ForeignInput');
  const silent = edited(mine, (raw) => {
    delete raw.inputs[0]!.tapBip32Derivation;
  });
  expect(() => sighashes(parsePsbt(silent), account)).toThrow('ForeignInput');
  expect(sighashes(parsePsbt(mine), account)).toHaveLength(1);
});

test('one foreign input among own ones is enough: all or none', () => {
  const two = paymentOf(account, {
    coins: [coinAt('a', 50_000n), coinAt('b', 50_000n, { branch: 0, index: 1 })],
  });
  const mixed = edited(two, (raw) => {
    raw.inputs[1]!.witnessUtxo = { amount: 50_000n, script: Uint8Array.from(strangerScript) };
  });
  expect(() => sighashes(parsePsbt(mixed), account)).toThrow('ForeignInput');
});

test('attack 19: a merkle root or a hardened path in the claim never makes a script ours', () => {
  const { internalKey } = deriveKey(account, 0, 0);
  const root = new Uint8Array(32).fill(7);
  const tweaked = schnorr.utils.taggedHash('TapTweak', internalKey, root);
  const point = schnorr.utils.lift_x(BigInt(`0x${hex.encode(internalKey)}`));
  const output = point.add(schnorr.Point.BASE.multiply(BigInt(`0x${hex.encode(tweaked)}`)));
  const script = Uint8Array.of(0x51, 0x20, ...output.toBytes(true).subarray(1));
  const rooted = edited(paymentOf(account), (raw) => {
    raw.inputs[0]!.tapMerkleRoot = root;
    raw.inputs[0]!.witnessUtxo = { amount: 100_000n, script };
  });
  expect(() => sighashes(parsePsbt(rooted), account)).toThrow('ForeignInput');
  const hardened = edited(paymentOf(account), (raw) => {
    raw.inputs[0]!.tapBip32Derivation![0]![1].der.path[2] = 0x8000_0000;
  });
  expect(() => sighashes(parsePsbt(hardened), account)).toThrow('ForeignInput');
});

test.each([2, 3, 0x81, 0x82, 0x83, 0x80, 4, 0x1_0000])(
  'attack 20: sighash type %i is SighashRefused',
  (type) => {
    const psbt = edited(paymentOf(account), (raw) => {
      raw.inputs[0]!.sighashType = type;
    });
    expect(() => sighashes(parsePsbt(psbt), account)).toThrow('SighashRefused');
  },
);

test('SIGHASH_ALL is signed as such and stands behind its signature', () => {
  const psbt = edited(paymentOf(account), (raw) => {
    raw.inputs[0]!.sighashType = 1;
  });
  const [input] = sighashes(parsePsbt(psbt), account);
  expect(hex.encode(input!.sighash)).not.toBe(
    hex.encode(sighashes(parsePsbt(paymentOf(account)), account)[0]!.sighash),
  );
  const [witness] = parseTransaction(finalize(psbt, [key.sign(input!)]).transaction).inputs[0]!.witness;
  expect([witness!.length, witness![64]]).toEqual([65, 1]);
});

test('an input that does not say what it spends, or no input at all, is BadPsbt', () => {
  const psbt = edited(paymentOf(account), (raw) => {
    delete raw.inputs[0]!.witnessUtxo;
  });
  expect(() => sighashes(parsePsbt(psbt), account)).toThrow('BadPsbt');
  expect(() => summarise(parsePsbt(psbt), account, { receive: 0, change: 0 })).toThrow('BadPsbt');
  expect(() => sighashes({ ...parsePsbt(psbt), inputs: [] }, account)).toThrow('BadPsbt');
});

test('finalize wants one signature of 64 bytes an input', () => {
  const psbt = paymentOf(account);
  expect(() => finalize(psbt, [])).toThrow('BadPsbt');
  expect(() => finalize(psbt, [new Uint8Array(65)])).toThrow('BadEncoding');
});

/**
 * PSBTs taken apart into their fields, changed and put together again: what is still a PSBT must obey the laws of money,
 * whatever it claims.
 */
import { hex } from '@scure/base';
import { type Account, deriveKey } from '../../src/bitcoin/descriptor.ts';
import { buildPayment, parsePsbt } from '../../src/bitcoin/psbt.ts';
import { sighashes } from '../../src/bitcoin/sighash.ts';
import { type Summary, summarise, summaryDigest } from '../../src/bitcoin/summary.ts';
import { outpointText } from '../../src/bitcoin/transaction.ts';
import { WireReader, WireWriter } from '../../src/bitcoin/wire.ts';
import { firstPolicy } from '../../src/policy/document.ts';
import { evaluate, ownOutpoints, windowsSince } from '../../src/policy/evaluate.ts';
import { GAP_OWN_OUTPUT } from '../../src/protocol/limits.ts';
import { termsOf } from '../support/terms.ts';
import { join, mutate } from './mutate.ts';
import type { Rng } from './rng.ts';
import { hold, type Target } from './run.ts';

type Bytes = Uint8Array<ArrayBuffer>;

const account: Account = {
  network: 'regtest',
  groupKey: hex.decode('0379be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798'),
  chainCode: new Uint8Array(32).fill(7),
  account: 0,
};
const USED = { receive: 3, change: 2 };
const STRANGER = hex.decode('512050929b74c1a04954b78b4b6035e97a5e078a5a0f28ec96d547bfee9ace803ac0');
const MAGIC = 5;
const NOW = 1_800_000_000_000;

interface Field {
  key: Bytes;
  value: Bytes;
}

function seed(rng: Rng): Bytes {
  const coins = Array.from({ length: 1 + rng.below(3) }, (_, i) => ({
    outpoint: { txid: hex.encode(rng.bytes(32)), vout: i },
    value: 1_000_000n + BigInt(rng.below(1000)),
    branch: rng.pick([0, 1] as const),
    index: rng.below(3),
    height: 1,
    coinbase: false,
  }));
  const outputs = Array.from({ length: 1 + rng.below(2) }, () => ({
    script: rng.one(6) ? rng.bytes(rng.below(60)) : STRANGER,
    value: BigInt(rng.below(400_000)),
  }));
  const change = { path: { branch: 1 as const, index: rng.below(3) }, value: BigInt(rng.below(200_000)) };
  return buildPayment({
    account,
    coins,
    outputs,
    change: rng.one(3) ? null : change,
    randomness: rng.bytes(4),
  });
}

/** Global map, then one map an input and output. */
function mapsOf(psbt: Bytes): Field[][] {
  const r = new WireReader(psbt.subarray(MAGIC));
  const maps: Field[][] = [[]];
  while (r.left > 0) {
    const key = r.blob();
    if (key.length === 0) maps.push([]);
    else maps.at(-1)!.push({ key, value: r.blob() });
  }
  maps.pop();
  return maps;
}

function psbtOf(magic: Uint8Array, maps: readonly Field[][]): Bytes {
  const w = new WireWriter().put(magic);
  for (const map of maps) {
    for (const { key, value } of map) w.blob(key).blob(value);
    w.u8(0);
  }
  return w.finish();
}

function change(psbt: Bytes, rng: Rng): Bytes {
  if (rng.one(5)) return mutate(psbt, rng);
  const maps = mapsOf(psbt);
  for (let n = 1 + rng.below(3); n > 0; n--) {
    const map = rng.pick(maps);
    if (map.length === 0 || rng.one(12)) {
      map.push({
        key: join(Uint8Array.of(rng.below(30)), rng.bytes(rng.pick([0, 32, 33]))),
        value: rng.bytes(rng.below(70)),
      });
      continue;
    }
    const at = rng.below(map.length);
    const field = map[at]!;
    switch (rng.below(7)) {
      case 0:
        map.splice(at, 1);
        break;
      case 1:
        map.push(field);
        break;
      case 2:
        field.value = rng.pick(rng.pick(maps).concat(field)).value;
        break;
      case 3:
        field.key = mutate(field.key, rng);
        break;
      case 4:
        map.push({
          key: Uint8Array.of(3),
          value: Uint8Array.of(rng.pick([0, 1, 2, 3, 0x81, 0x82, 0x83, 255]), 0, 0, 0),
        });
        break;
      default:
        field.value = mutate(field.value, rng);
    }
  }
  return psbtOf(psbt.subarray(0, MAGIC), maps);
}

const sum = (values: readonly { value: bigint }[]) => values.reduce((total, { value }) => total + value, 0n);

function holdLaws(summary: Summary): void {
  const { inputs, outputs, ownIn, ownOut, loss, fee } = summary;
  hold(loss === ownIn - ownOut, 'loss is what leaves');
  // Only what others may complete (ANYONECANPAY) can still lack inputs, and then has no fee yet.
  const left = sum(inputs) - sum(outputs);
  const open = inputs.some(({ sighashType }) => (sighashType & 0x80) !== 0);
  hold(left >= 0n ? fee === left : open && fee === 0n, 'fee is what nobody gets');
  hold(ownIn <= sum(inputs) && ownOut <= sum(outputs), 'own is a part of all');
  hold(ownIn === sum(inputs.filter(({ own }) => own)), 'own inputs');
  hold(ownOut === sum(outputs.filter(({ own }) => own)), 'own outputs');
  hold(
    new Set(inputs.map(({ outpoint }) => outpointText(outpoint))).size === inputs.length,
    'an input twice',
  );
  for (const { own, script } of outputs) {
    if (own === null) continue;
    hold(hex.encode(deriveKey(account, own.branch, own.index).script) === hex.encode(script), 'own output');
    const used = own.branch === 0 ? USED.receive : USED.change;
    hold(own.index < used + GAP_OWN_OUTPUT, 'an own output out of reach');
  }
}

export const psbts: Target = {
  name: 'psbt',
  weight: 24,
  run(rng, note) {
    const input = rng.one(10) ? seed(rng) : change(seed(rng), rng);
    note(input);
    const parsed = parsePsbt(input);
    const summary = summarise(parsed, account, USED);
    holdLaws(summary);
    hold(
      hex.encode(summaryDigest(summary)) ===
        hex.encode(summaryDigest(summarise(parsePsbt(input), account, USED))),
      'digest',
    );
    const policy = firstPolicy('regtest', termsOf(BigInt(rng.below(2_000_000))), 0);
    const inWindows = windowsSince(policy, NOW).map(() => BigInt(rng.below(1_000_000)));
    const reserved = new Map(
      ownOutpoints(summary).map((outpoint) => [outpoint, BigInt(rng.below(1_000_000))]),
    );
    const spent = { inWindows, reserved, unseen: 0n, contested: rng.one(8), heldSince: null };
    const { verdict, charge, loss } = evaluate(policy, spent, summary, NOW);
    hold(charge >= 0n && loss >= summary.loss, 'a charge or loss too low');
    const held = [...reserved.values()].reduce((total, value) => total + value, 0n);
    if (verdict.kind === 'signs') hold(held + charge >= loss, 'reserves below the loss');
    if (verdict.kind === 'signs' && charge > 0n)
      hold(inWindows[0]! + charge <= policy.windows[0]!.limit, 'a window over its limit');
    const signing = sighashes(parsed, account);
    hold(signing.length === summary.inputs.length, 'all inputs or none');
    hold(
      summary.inputs.every(({ own }) => own !== null),
      'a signature for a foreign input',
    );
    const hashes = new Set(signing.map(({ sighash }) => hex.encode(sighash)));
    hold(hashes.size === signing.length, 'one hash for two inputs');
  },
};

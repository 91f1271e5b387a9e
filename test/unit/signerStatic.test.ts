import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { buildVariant } from '../../wasm/build.ts';
import { type Finding, Taint } from '../timing/taint.ts';

/** wasm/assembly/memory.ts and wasm/build.ts: the public context of a session, and constants with their tables. */
const isPublic = (address: number): boolean =>
  (address >= 0x1c000 && address < 0x1d000) || address >= 0x40000;

function textOf(wasm: Uint8Array): string {
  const folder = mkdtempSync(join(tmpdir(), 'hoarfrost-'));
  try {
    const file = join(folder, 'module.wasm');
    writeFileSync(file, wasm);
    const binaryen = dirname(createRequire(import.meta.url).resolve('assemblyscript/package.json'));
    const disassembler = createRequire(join(binaryen, 'package.json')).resolve('binaryen/bin/wasm-dis');
    return execFileSync(process.execPath, [disassembler, '--enable-simd', file], {
      encoding: 'utf8',
      maxBuffer: 64 * 1024 * 1024,
      timeout: 60_000,
    });
  } finally {
    rmSync(folder, { recursive: true });
  }
}

const taint = new Taint(textOf(buildVariant({ name: 'testing', entry: 'testing.ts' })), isPublic);

/** Functions in which secrets are handled, with all that they call. */
const CONSTANT_TIME = [
  ...[
    'add',
    'equal',
    'inverse',
    'isOdd',
    'isZero',
    'mul',
    'mulAdd',
    'norm',
    'setLane',
    'sqr',
    'sqrtCandidate',
  ],
  ...['sub', 'times21', 'toBytes'],
  ...[
    'addAffineLanes',
    'addLanes',
    'bothLanesToAffine',
    'doubleLanes',
    'encode',
    'joinLanes',
    'lanesToAffine',
  ],
  ...['baseMultiply', 'baseMultiplyPair', 'glvSplit', 'multiplyConst'],
  ...[
    'scAdd',
    'scFromBytes',
    'scFromBytes48',
    'scHalf',
    'scHighMask',
    'scIsZero',
    'scMul',
    'scNeg',
    'scNegIf',
  ],
  ...['scSub', 'scToBytes'],
];

describe('the compiled module branches on no secret and addresses by none, as far as taint over its text sees', () => {
  test.each(CONSTANT_TIME)('%s', (name) => {
    expect(taint.findings(name)).toEqual([]);
  });

  // SHA-256 keeps how many bytes it has buffered, a public number, in the memory of its context.
  const hashing = new Set(
    ['shaUpdate', 'shaFinal'].flatMap((root) => taint.findings(root)).map((f) => f.function),
  );

  test('SHA-256 branches and addresses only by its count of buffered bytes', () => {
    expect(taint.findings('shaInit')).toEqual([]);
    // A data-dependent look-up in the compression function would be another finding.
    expect(taint.findings('shaUpdate').length).toBeLessThanOrEqual(6);
    expect(taint.findings('shaFinal').length).toBeLessThanOrEqual(3);
    expect(hashing.size).toBeLessThanOrEqual(3);
  });

  /**
   * Branches that exported calls take on loaded data outside hashing, each known. Not here: calls that also look up public
   * slots and caches of decoded points, or verify public data in variable time (commit, signShare, finish, keygen, ecdhX); of those only the
   * arithmetic above is covered, and the t-test.
   */
  const CALLS: Readonly<Record<string, readonly [count: number, why: string]>> = {
    publicKey: [1, 'refuses 0 and what is not below n'],
    schnorrSign: [2, 'the same, and a nonce of zero'],
    refreshDelta: [1, 'refuses a sum of zero'],
    refreshShare: [2, 'refuses a share, delta or sum of zero'],
    repairSplit: [2, 'refuses a share or part of zero'],
    sumScalars: [1, 'refuses a sum of zero'],
  };

  test.each(Object.entries(CALLS))('%s: %j', (name, [count]) => {
    const found = taint.findings(name).filter((f) => !hashing.has(f.function) && f.kind !== 'select');
    expect(found.map((f) => f.kind)).toEqual(Array.from({ length: count }, () => 'branch'));
  });

  test('control: variable-time multiplication and inversion are found out', () => {
    expect(taint.findings('inverseVar').map((f) => f.kind)).toContain('branch');
    const kinds = new Set(taint.findings('multiplyVar').map((f) => f.kind));
    expect(kinds).toContain('branch');
    expect(kinds).toContain('address');
  });
});

describe('the taint analysis itself', () => {
  const kinds = (body: string, more = ''): Finding['kind'][] =>
    new Taint(
      `(module (memory 1) (global $g (mut i32) (i32.const 0)) ${more}
        (func $f (param $0 i32) (local $1 i32) (local $2 i32) ${body}) (export "f" (func $f)))`,
      (address) => address >= 1000,
    )
      .findings('f')
      .map((f) => f.kind);
  const secret = '(i32.load (local.get $0))';

  test.each<[string, string, Finding['kind'][]]>([
    ['a branch on a load', `(if ${secret} (then (nop)))`, ['branch']],
    ['br_if on a load', `(block $b (br_if $b ${secret}))`, ['branch']],
    ['br_table on a load', `(block $b (br_table $b $b ${secret}))`, ['branch']],
    ['an address', `(drop (i32.load ${secret}))`, ['address']],
    ['an address of a store', `(i32.store ${secret} (i32.const 1))`, ['address']],
    ['a length', `(memory.fill (i32.const 0) (i32.const 0) ${secret})`, ['address']],
    ['a division', `(drop (i32.div_u ${secret} (i32.const 3)))`, ['division']],
    ['a select', `(drop (select (i32.const 1) (i32.const 2) ${secret}))`, ['select']],
    [
      'through arithmetic and a local',
      `(local.set $1 (i32.add ${secret} (i32.const 1))) (if (local.get $1) (then (nop)))`,
      ['branch'],
    ],
    [
      'through one arm of a branch',
      `(if (local.get $0) (then (local.set $1 ${secret}))) (if (local.get $1) (then (nop)))`,
      ['branch'],
    ],
    [
      'around a loop',
      `(loop $l (if (local.get $2) (then (nop))) (local.set $2 (local.get $1)) (local.set $1 ${secret}) (br_if $l (local.get $0)))`,
      ['branch'],
    ],
    ['a block brought by br', `(if (block $b (result i32) (br $b ${secret})) (then (nop)))`, ['branch']],
    ['through a global', `(global.set $g ${secret}) (if (global.get $g) (then (nop)))`, ['branch']],
    ['through a global set later', `(if (global.get $g) (then (nop))) (global.set $g ${secret})`, ['branch']],
    [
      'no finding: overwritten',
      `(local.set $1 ${secret}) (local.set $1 (i32.const 1)) (if (local.get $1) (then (nop)))`,
      [],
    ],
    ['no finding: a public address', '(if (i32.load (i32.const 1000)) (then (nop)))', []],
    ['no finding: an argument', '(if (local.get $0) (then (drop (i32.load (local.get $0)))))', []],
    ['no finding: a stored secret', `(i32.store (local.get $0) (i32.xor ${secret} (i32.const 1)))`, []],
  ])('%s', (_, body, expected) => {
    expect(kinds(body)).toEqual(expected);
  });

  test('an arm that a constant argument rules out', () => {
    const callee = `(func $c (param $0 i32) (param $1 i32) (if (local.get $1) (then (if (local.get $0) (then (nop))))))`;
    expect(kinds(`(call $c ${secret} (i32.const 0))`, callee)).toEqual([]);
    expect(kinds(`(call $c ${secret} (i32.const 1))`, callee)).toEqual(['branch']);
    const rewriting = callee.replace(
      '(if (local.get $1)',
      '(local.set $1 (local.get $0)) (if (local.get $1)',
    );
    expect(kinds(`(call $c ${secret} (i32.const 0))`, rewriting)).toContain('branch');
  });

  test('into and out of calls', () => {
    const callee = '(func $c (param $0 i32) (result i32) (if (local.get $0) (then (nop))) (local.get $0))';
    expect(kinds(`(drop (call $c ${secret}))`, callee)).toEqual(['branch']);
    expect(kinds('(drop (call $c (i32.const 1)))', callee)).toEqual([]);
    const giver = '(func $c (param $0 i32) (result i32) (return (i32.load (local.get $0))))';
    expect(kinds('(if (call $c (local.get $0)) (then (nop)))', giver)).toEqual(['branch']);
  });
});

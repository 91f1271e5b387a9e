/**
 * Writes wasm/assembly/fieldProduct.generated.ts: multiplication and squaring of field pairs with every limb written
 * out (a rolled loop costs 2.5 times as much). Layout, bounds and names are those of wasm/assembly/field.ts.
 *
 * Product by the subtractive form of Karatsuba's identity over all limb pairs,
 *   a_i b_j + a_j b_i = a_i b_i + a_j b_j + (a_i - a_j)(b_j - b_i),
 * which trades 36 of 81 limb products for cheap 32-bit subtractions. Squaring needs no trick: 45 products.
 */

const LIMBS = 9;
const VECTORS = 5;

/**
 * The constants of the reduction, one vector each, kept in linear memory: V8 builds a vector constant anew at every use
 * (three instructions), and loads it in one. In the lines they are called k0, k1, ...
 */
class ConstantPool {
  readonly values: bigint[] = [];
  /** Both 64-bit lanes `value`. */
  lanes(value: bigint): string {
    const word = BigInt.asUintN(64, value);
    let at = this.values.indexOf(word);
    if (at < 0) at = this.values.push(word) - 1;
    return `k${at}`;
  }
  /** All four 32-bit lanes `value`. */
  words(value: bigint): string {
    return this.lanes((value << 32n) | value);
  }
}

/** Loads each constant that the lines use once, before them. */
function loadedOnce(lines: readonly string[]): string {
  const used = new Set(lines.join('\n').match(/\bk\d+\b/g));
  const loads = [...used].map((k) => `  const ${k} = v128.load(POOL, ${16 * Number(k.slice(1))});`);
  return [...loads, ...lines].join('\n');
}

/** Loads each constant where it is used: in a loop, V8 would only spill it. */
function loadedAtUse(lines: readonly string[]): string {
  return lines.join('\n').replace(/\bk(\d+)\b/g, (_, at) => `v128.load(POOL, ${16 * Number(at)})`);
}

class Emitter {
  readonly lines: string[] = [];
  emit(line: string): void {
    this.lines.push(`  ${line}`);
  }
  constant(name: string, expression: string): void {
    this.emit(`const ${name} = ${expression};`);
  }
}

/** Makes a column positive, and what it makes its carry too large by: see `reduce`. */
const BIAS = (1n << 63n) + (1n << 28n);
const CARRY = 1n << 34n;
/** What `reduce` adds to columns 1 to 7, and to columns 10 to 16. */
const LOW_BIAS = BIAS - CARRY - (31264n << 28n) - (1n << 36n);
const HIGH_BIAS = BIAS - CARRY;

/** Terms of one column, added in order of appearance. */
type Columns = string[][];

function emptyColumns(): Columns {
  return Array.from({ length: 2 * LIMBS - 1 }, () => []);
}

/** Columns of a * b. With a pool their sums begin with LOW_BIAS and HIGH_BIAS, which saves adding them to each. */
function productColumns(out: Emitter, A: string, B: string, columns: Columns, pool?: ConstantPool): Columns {
  for (let k = 0; k < VECTORS; k++) {
    out.constant(`${A}${k}`, `v128.load(${A}, ${16 * k})`);
    out.constant(`${B}${k}`, `v128.load(${B}, ${16 * k})`);
  }
  for (const X of [A, B]) {
    for (let k = 0; k < VECTORS - 1; k++) out.constant(`${X}x${k}`, `swapLimbs(${X}${k})`);
    out.constant(`${X}d`, `twice(${X}${VECTORS - 1})`);
  }
  // Running sums of a_i b_i.
  for (let i = 0; i < LIMBS; i++) {
    const k = i >> 1;
    const d = `${i & 1 ? 'high' : 'low'}(${A}${k}, ${B}${k})`;
    const first = pool ? `i64x2.add(${pool.lanes(LOW_BIAS)}, ${d})` : d;
    out.constant(`${A}s${i}`, i === 0 ? first : `i64x2.add(${A}s${i - 1}, ${d})`);
  }
  const all = pool ? `${A}s` : `${A}s8`;
  if (pool) out.constant(all, `i64x2.add(${A}s8, ${pool.lanes(HIGH_BIAS)})`);
  for (let c = 0; c < 2 * LIMBS - 1; c++) {
    columns[c]!.push(c < LIMBS ? `${A}s${c}` : `i64x2.sub(${all}, ${A}s${c - LIMBS})`);
  }
  let n = 0;
  /** Differences of the limbs of vectors k and `other`; their products go to the columns low and high, if any. */
  const cross = (k: number, other: string, lowColumn?: number, highColumn?: number): void => {
    const [u, v] = [`${A}u${n}`, `${B}v${n}`];
    n++;
    out.constant(u, `i32x4.sub(${A}${k}, ${A}${other})`);
    out.constant(v, `i32x4.sub(${B}${other}, ${B}${k})`);
    if (lowColumn !== undefined) columns[lowColumn]!.push(`low(${u}, ${v})`);
    if (highColumn !== undefined) columns[highColumn]!.push(`high(${u}, ${v})`);
  };
  // Limb 8 stands alone in its vector and is subtracted twice at once.
  for (let k = VECTORS - 2; k >= 0; k--) cross(k, 'd', 2 * k + 8, 2 * k + 9);
  for (let l = VECTORS - 2; l >= 0; l--) {
    cross(l, `x${l}`, 4 * l + 1);
    for (let k = l - 1; k >= 0; k--) {
      cross(k, `${l}`, 2 * k + 2 * l, 2 * k + 2 * l + 2);
      cross(k, `x${l}`, 2 * k + 2 * l + 1, 2 * k + 2 * l + 1);
    }
  }
  return columns;
}

function squareColumns(out: Emitter): Columns {
  const columns = emptyColumns();
  for (let k = 0; k < VECTORS; k++) {
    out.constant(`t${k}`, `i32x4.add(a${k}, a${k})`);
    out.constant(`x${k}`, `swapLimbs(t${k})`);
  }
  for (let i = 0; i < LIMBS; i++) columns[2 * i]!.push(`${i & 1 ? 'high' : 'low'}(a${i >> 1}, a${i >> 1})`);
  for (let i = 0; i < LIMBS; i++) {
    for (let j = i + 1; j < LIMBS; j++) {
      const same = ((i ^ j) & 1) === 0;
      columns[i + j]!.push(`${i & 1 ? 'high' : 'low'}(a${i >> 1}, ${same ? 't' : 'x'}${j >> 1})`);
    }
  }
  return columns;
}

/**
 * Columns 0..16 of 64 bits to nine limbs. Columns 9..16 are carried into digits of 29 bits and folded down by
 * 2^261 = 2^8 * 2^29 + 31264 (mod p), columns 0..8 carried, and the part over 2^256 folded by 2^32 + 977 once more.
 *
 * There is no cheap arithmetic shift of 64-bit lanes, so a carry adds a bias that makes the column t positive:
 *   c + 2^63 + 2^28 = t,  digit = (t & (2^29-1)) - 2^28,  carry = (t >> 29) - 2^34.
 * What has to be subtracted again is known beforehand and goes into the bias of the columns that receive it.
 * Returns the five vectors of the result.
 */
function reduce(out: Emitter, pool: ConstantPool, columns: Columns, biased = false): string[] {
  const add = (terms: string[]): string => terms.reduce((a, b) => `i64x2.add(${a}, ${b})`);
  const half = 1n << 28n;
  const top = 1n << 39n;
  const mask = pool.lanes((1n << 29n) - 1n);
  for (let c = LIMBS; c < 2 * LIMBS - 1; c++) {
    const terms = [...columns[c]!];
    if (!biased) terms.push(pool.lanes(c === LIMBS ? BIAS : BIAS - CARRY));
    else if (c === LIMBS) terms.push(pool.lanes(CARRY));
    if (c > LIMBS) terms.push(`i64x2.shr_u(t${c - 1}, 29)`);
    out.constant(`t${c}`, add(terms));
  }
  // Digits 9..16 stay 2^28 too large and digit 17 stays 2^34 too large until they are folded.
  for (let c = LIMBS; c < 17; c++) out.constant(`h${c}`, `v128.and(t${c}, ${mask})`);
  out.constant('h17', 'i64x2.shr_u(t16, 29)');
  for (let c = LIMBS; c < 17; c += 2) out.constant(`p${c}`, `pack(h${c}, h${c + 1})`);
  out.constant('p17', 'pack(h17, h17)');
  const fold261 = pool.words(31264n);
  for (let c = 0; c < LIMBS; c++) {
    const from = c + LIMBS;
    let constant = c === 0 ? BIAS : c < 8 ? BIAS - CARRY : (1n << 63n) + (1n << 23n) - CARRY;
    const terms = [...columns[c]!];
    if (from < 17) {
      terms.push(`${c & 1 ? 'high' : 'low'}(p${from - (c & 1)}, ${fold261})`);
      constant -= half * 31264n;
    } else {
      terms.push(`low(p17, ${fold261})`);
    }
    if (c > 0) {
      terms.push(`i64x2.shl(h${from - 1}, 8)`);
      constant -= half << 8n;
    }
    if (biased) constant -= LOW_BIAS;
    if (constant !== 0n) terms.push(pool.lanes(constant));
    if (c > 0) terms.push(`i64x2.shr_u(l${c - 1}, 29)`);
    out.constant(`l${c}`, add(terms));
  }
  // Over 2^256: up to 39 bits, 2^39 too large.
  out.constant('over', 'i64x2.shr_u(l8, 24)');
  // Digit 17 shifted into column 9 comes down once more, here rather than above: the two carry chains run side by side.
  const rest0 = add([
    `v128.and(l0, ${mask})`,
    `low(p17, ${pool.words(31264n << 8n)})`,
    pool.lanes(BIAS - half - 977n * top),
  ]);
  out.constant('m0', plus977('over', rest0));
  out.constant(
    'm1',
    add([
      `v128.and(l1, ${mask})`,
      'i64x2.shl(h17, 16)',
      pool.lanes(BIAS - half - CARRY - (CARRY << 16n) - (top << 3n)),
      'i64x2.shl(over, 3)',
      'i64x2.shr_u(m0, 29)',
    ]),
  );
  // 2^34 too large, which its 32 bits do not see.
  out.constant('m2', `i64x2.add(v128.and(l2, ${mask}), i64x2.shr_u(m1, 29))`);
  const digits = (even: string, odd: string): string =>
    `i32x4.sub(v128.and(pack(${even}, ${odd}), ${pool.words((1n << 29n) - 1n)}), ${pool.words(half)})`;
  const low24 = pool.lanes((1n << 24n) - 1n);
  return [
    digits('m0', 'm1'),
    `i32x4.sub(pack(m2, v128.and(l3, ${mask})), ${pool.words(half)})`,
    digits('l4', 'l5'),
    digits('l6', 'l7'),
    `i32x4.sub(packTop(v128.and(l8, ${low24})), v128.load(TOP))`,
  ];
}

/** rest + 977a = (rest + a + 1024a) - (32a + 16a): three steps from a to the sum. */
function plus977(a: string, rest: string): string {
  return `i64x2.sub(i64x2.add(i64x2.add(${rest}, ${a}), i64x2.shl(${a}, 10)), i64x2.add(i64x2.shl(${a}, 5), i64x2.shl(${a}, 4)))`;
}

/** The five vectors of the result go to memory at r. */
function storeResult(out: Emitter, vectors: readonly string[]): void {
  vectors.forEach((vector, k) => {
    out.emit(`v128.store(r, ${vector}, ${16 * k});`);
  });
}

export function fieldProductSource(): string {
  const pool = new ConstantPool();
  const mul = new Emitter();
  storeResult(mul, reduce(mul, pool, productColumns(mul, 'a', 'b', emptyColumns(), pool), true));
  const mulAdd = new Emitter();
  const first = productColumns(mulAdd, 'a', 'b', emptyColumns(), pool);
  storeResult(mulAdd, reduce(mulAdd, pool, productColumns(mulAdd, 'c', 'd', first), true));
  const load = Array.from({ length: VECTORS }, (_, k) => `let a${k} = v128.load(a, ${16 * k});`);
  const sqr = new Emitter();
  for (const line of load) sqr.emit(line);
  storeResult(sqr, reduce(sqr, pool, squareColumns(sqr)));
  const again = new Emitter();
  const vectors = reduce(again, pool, squareColumns(again));
  vectors.forEach((vector, k) => {
    again.emit(`a${k} = ${vector};`);
  });
  const half24 = 1n << 23n;
  const poolWords = pool.values.flatMap((v) => [v, v]).map((v) => `0x${v.toString(16)}`);
  return `// Generated by wasm/generate/fieldProduct.ts: do not edit.
import { checkMagnitude } from './invariants';

// @ts-ignore: decorator
@inline
function low(a: v128, b: v128): v128 {
  return i64x2.extmul_low_i32x4_s(a, b);
}
// @ts-ignore: decorator
@inline
function high(a: v128, b: v128): v128 {
  return i64x2.extmul_high_i32x4_s(a, b);
}
/** Limbs 2k and 2k+1 change places. */
// @ts-ignore: decorator
@inline
function swapLimbs(a: v128): v128 {
  return v128.shuffle<i32>(a, a, 2, 3, 0, 1);
}
/** Limb 2k at both places. */
// @ts-ignore: decorator
@inline
function twice(a: v128): v128 {
  return v128.shuffle<i32>(a, a, 0, 1, 0, 1);
}
/** Two columns, reduced to 32 bits, as one vector of a field pair. */
// @ts-ignore: decorator
@inline
function pack(even: v128, odd: v128): v128 {
  return v128.shuffle<i32>(even, odd, 0, 2, 4, 6);
}
// @ts-ignore: decorator
@inline
function packTop(even: v128): v128 {
  return v128.shuffle<i32>(even, i64x2(0, 0), 0, 2, 4, 6);
}

const POOL: usize = memory.data<u64>([${poolWords.join(', ')}], 16);
/** 2^23 in limb 8 of both lanes. */
const TOP: usize = memory.data<u64>([0x${((half24 << 32n) | half24).toString(16)}, 0], 16);

/** r = a * b in both lanes; magnitudes of a and b at most 3, of r 1. May alias. */
export function mul(r: usize, a: usize, b: usize): void {
  checkMagnitude(a, 3);
  checkMagnitude(b, 3);

${loadedOnce(mul.lines)}
  checkMagnitude(r, 1);
}

/**
 * r = a * b + c * d in both lanes with one reduction. Magnitudes at most 3 with m(a) m(b) + m(c) m(d) <= 15: a column
 * then stays below 8 * 15 * 2^56 < 2^63. r has magnitude 1. May alias.
 */
export function mulAdd(r: usize, a: usize, b: usize, c: usize, d: usize): void {
  checkMagnitude(a, 3);
  checkMagnitude(b, 3);
  checkMagnitude(c, 3);
  checkMagnitude(d, 3);

${loadedOnce(mulAdd.lines)}
  checkMagnitude(r, 1);
}

/** r = a^2 in both lanes; magnitude of a at most 3, of r 1. May alias. */
export function sqr(r: usize, a: usize): void {
  checkMagnitude(a, 3);

${loadedOnce(sqr.lines)}
  checkMagnitude(r, 1);
}

/** r = a^(2^n) in both lanes, n at least 1; as n squarings, without a way through memory between them. May alias. */
export function sqrN(r: usize, a: usize, n: i32): void {
  checkMagnitude(a, 3);

${load.map((line) => `  ${line}`).join('\n')}
  for (let i = 0; i < n; i++) {
${loadedAtUse(again.lines.map((line) => `  ${line}`))}
  }
${Array.from({ length: VECTORS }, (_, k) => `  v128.store(r, a${k}, ${16 * k});`).join('\n')}
  checkMagnitude(r, 1);
}
`;
}

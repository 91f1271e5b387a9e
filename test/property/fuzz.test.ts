/** That the fuzzer finds what it is for: `npm run fuzz` runs the cases themselves. */
import { expect, test } from 'vitest';
import { blob, struct, u8 } from '../../src/protocol/codec.ts';
import { HoarfrostError } from '../../src/protocol/errors.ts';
import { byteTargets, codecTarget } from '../fuzz/bytes.ts';
import { psbts } from '../fuzz/psbts.ts';
import { fuzz, type Target } from '../fuzz/run.ts';

const good = struct({ kind: u8, body: blob(64) });
const target = (run: Target['run']): Target => ({ name: 'planted', weight: 1, run });

test('a codec that takes two encodings of one value is found', async () => {
  const loose = codecTarget('loose', {
    ...good,
    read: (r) => {
      const value = good.read(r);
      return { ...value, kind: value.kind & 0x7f };
    },
    write: (w, v) =>
      good.write(w, {
        ...(v as { body: Uint8Array<ArrayBuffer> }),
        kind: (v as { kind: number }).kind & 0x7f,
      }),
  });
  const { findings } = await fuzz(loose, 500, 1);
  expect(findings.some(({ what }) => what.includes('not canonical'))).toBe(true);
});

test('a foreign error, an unknown code and an Internal are found; a refusal is not', async () => {
  const by = async (e: unknown) =>
    (
      await fuzz(
        target(() => Promise.reject(e)),
        3,
        1,
      )
    ).findings.map(({ what }) => what.split('\n')[0]);
  expect(await by(new TypeError('x is undefined'))).toEqual(Array(3).fill('TypeError: x is undefined'));
  expect(await by(new HoarfrostError('Internal'))).toEqual(Array(3).fill('code Internal'));
  expect(await by(new HoarfrostError('Nonsense' as never))).toEqual(Array(3).fill('code Nonsense'));
  expect(await by(new HoarfrostError('BadEncoding'))).toEqual([]);
});

test('what is slow each time is found, what was held up once is not; what was not run is not counted', async () => {
  const held = (ms: number) => Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms);
  const slow = await fuzz(
    target(() => held(30)),
    50,
    1,
    0,
    10,
  );
  expect(slow.findings.map(({ what }) => what)).toEqual(Array(5).fill('too slow'));
  expect(slow.cases).toBe(5);
  let runs = 0;
  const once = await fuzz(
    target(() => runs++ === 0 && held(1100)),
    3,
    1,
    0,
    1000,
  );
  expect(once).toMatchObject({ findings: [], cases: 3 });
});

test('the same seed makes the same cases, another one others', async () => {
  const inputs = async (seed: number) => {
    const seen: string[] = [];
    const watched = byteTargets.map(
      (t) =>
        ({ ...t, run: (rng, note) => t.run(rng, (i) => (seen.push(String(i)), note(i))) }) satisfies Target,
    );
    for (const t of [...watched]) await fuzz(t, 20, seed);
    return seen.join('\n');
  };
  expect(await inputs(5)).toBe(await inputs(5));
  expect(await inputs(5)).not.toBe(await inputs(6));
});

test('some of what it makes is taken, and much is refused for many reasons', async () => {
  const { accepted, refused, findings } = await fuzz(psbts, 600, 2);
  expect(findings).toEqual([]);
  expect(accepted).toBeGreaterThan(50);
  expect(Object.keys(refused).sort()).toEqual(
    expect.arrayContaining(['BadPsbt', 'ForeignInput', 'SighashRefused']),
  );
});

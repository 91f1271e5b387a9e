/** Runs cases and judges them: a case may end well or in one of our own errors, quickly, and in no other way. */
import { readFile } from 'node:fs/promises';
import { isHoarfrostError } from '../../src/protocol/errors.ts';
import { Rng } from './rng.ts';

export interface Target {
  readonly name: string;
  /** Of all cases, how many are for this target, relative to the others. */
  readonly weight: number;
  /** Throws a HoarfrostError where input is refused, and anything else (`Broken` above all) where a promise is. */
  run(rng: Rng, note: (input: Uint8Array | string) => void): unknown;
}

/** An invariant that did not hold. */
export class Broken extends Error {}

export function hold(condition: boolean, what: string): void {
  if (!condition) throw new Broken(what);
}

export interface Finding {
  readonly target: string;
  readonly index: number;
  readonly what: string;
  /** Hex, or text as JSON. */
  readonly input: string;
}

export interface Outcome {
  /** Fewer than were asked for where enough was found. */
  readonly cases: number;
  /** Cases whose input was taken, and refusals by code. */
  readonly accepted: number;
  readonly refused: Record<string, number>;
  readonly findings: Finding[];
}

/** What grows without bound is far beyond it, and once more when it is run again; a machine that stood still is not. */
const CASE_MS = 5_000;
const MEMORY = 768 << 20;
const FINDINGS_MAX = 5;

/** `Internal` is no answer to bad input. */
export async function knownCodes(): Promise<Set<string>> {
  const text = await readFile(new URL('../../src/protocol/errors.ts', import.meta.url), 'utf8');
  const codes = [...text.matchAll(/^ {2}\| '(\w+)'/gm)].map(([, code]) => code!);
  return new Set(codes.filter((code) => code !== 'Internal'));
}

export async function fuzz(
  target: Target,
  cases: number,
  seed: number,
  from = 0,
  caseMs = CASE_MS,
): Promise<Outcome> {
  const codes = await knownCodes();
  const refused: Record<string, number> = {};
  const findings: Finding[] = [];
  let accepted = 0;
  const stream = [...target.name].reduce((sum, c) => (Math.imul(sum, 31) + c.charCodeAt(0)) | 0, 7);
  let index = from;
  for (; index < from + cases && findings.length < FINDINGS_MAX; index++) {
    let input = '';
    const note = (noted: Uint8Array | string) => {
      input = typeof noted === 'string' ? JSON.stringify(noted) : Buffer.from(noted).toString('hex');
    };
    const found = (what: string) => findings.push({ target: target.name, index, what, input });
    const started = performance.now();
    const run = () => target.run(new Rng(seed, stream, index), note);
    try {
      await run();
      accepted++;
    } catch (e) {
      if (isHoarfrostError(e) && codes.has(e.code)) refused[e.code] = (refused[e.code] ?? 0) + 1;
      else found(isHoarfrostError(e) ? `code ${e.message}` : e instanceof Error ? `${e.stack}` : String(e));
    }
    if (performance.now() - started > caseMs) {
      const again = performance.now();
      await Promise.resolve()
        .then(run)
        .catch(() => {});
      if (performance.now() - again > caseMs) found('too slow');
    }
    if (index % 512 === 0) {
      const { heapUsed, arrayBuffers } = process.memoryUsage();
      if (heapUsed + arrayBuffers > MEMORY) found(`memory: ${heapUsed + arrayBuffers} bytes`);
    }
  }
  return { cases: index - from, accepted, refused, findings };
}

/** The timing test inside a page of Chromium. */
import { loadSignerWasm } from '../../src/crypto/wasmSigner.ts';
import { type Finding, judge } from './sampling.ts';
import { type Subject, subjects } from './subjects.ts';

declare global {
  var prepareTiming: (arithmetic: string) => Promise<{ leaking: boolean[]; isolated: boolean }>;
  var examineSubject: (index: number, samples: number) => Finding;
}

/** The clock of an isolated page ticks in steps of 5 us. */
const BATCH = 4;

let list: Subject[] = [];

globalThis.prepareTiming = async (arithmetic) => {
  const bytes = Uint8Array.from(atob(arithmetic), (c) => c.charCodeAt(0));
  const { instance } = await WebAssembly.instantiate(bytes, {});
  list = subjects(await loadSignerWasm(), instance);
  return { leaking: list.map((s) => s.leaking), isolated: globalThis.crossOriginIsolated };
};
globalThis.examineSubject = (index, samples) => judge(list[index]!, samples, list[index]!.batch ?? BATCH);

/** Signing requests from many wallets at once: as fast as they are answered, or at a steady rate. */
import { addressAt, checkAnswers, type LoadedWallet, loadWallet, signOnce } from './devices.ts';
import { endName, socketUnder, steadyNow } from './recorder.ts';
import type { ServerProcess } from './server.ts';

const sleep = (ms: number) => new Promise((resolve) => setTimeout(resolve, Math.max(0, ms)));
let addresses = 0;

/** Another address of this machine, and to the server another customer. */
export const nextAddress = (server: ServerProcess) => addressAt(server, ++addresses);

export async function prepare(
  servers: readonly ServerProcess[],
  count: number,
  each: number,
  fresh: boolean,
): Promise<LoadedWallet[]> {
  const made: LoadedWallet[] = [];
  for (let i = 0; i < count; i++) {
    made.push(await loadWallet(nextAddress(servers[i % servers.length]!), each, fresh));
  }
  return made;
}

export interface Saturated {
  readonly count: number;
  readonly seconds: number;
  /** Of each server's processor, all together. */
  readonly cpuSeconds: number;
}

/** Each wallet asks again as soon as it is answered. */
export async function saturate(
  servers: readonly ServerProcess[],
  loaded: readonly LoadedWallet[],
): Promise<Saturated> {
  const cpu = () => servers.reduce((sum, server) => sum + server.cpuSeconds(), 0);
  const answers = loaded.map((): Uint8Array<ArrayBuffer>[] => []);
  const count = loaded.reduce((sum, { frames }) => sum + frames.length, 0);
  const [cpuBefore, started] = [cpu(), performance.now()];
  await Promise.all(
    loaded.map(async (wallet, i) => {
      while (wallet.frames.length > 0) await signOnce(wallet, answers[i]!);
    }),
  );
  const seconds = (performance.now() - started) / 1000;
  const cpuSeconds = cpu() - cpuBefore;
  await finish(loaded, answers);
  return { count, seconds, cpuSeconds };
}

export interface Asked {
  /** When it was ready to be sent (`steadyNow`). */
  readonly at: number;
  /** Milliseconds from then to when the asker had its answer, and to when the server had handed that to the kernel. */
  readonly roundTrip: number;
  readonly inServer: number;
}

/** Of the time between two requests, what is left where one was late. */
const CATCH_UP = 0.9;

/**
 * Asks a recorded server at a steady rate, one wallet after the other, whatever the answers do. An asker that was held up does not make
 * up for it at once: such a crowd would be of its own making. In the order in which they were sent.
 */
export async function pace(
  server: ServerProcess,
  loaded: readonly LoadedWallet[],
  perSecond: number,
): Promise<Asked[]> {
  const answers = loaded.map((): Uint8Array<ArrayBuffer>[] => []);
  const asked = loaded.map((): Omit<Asked, 'inServer'>[] => []);
  const ends = loaded.map(({ client }) => {
    const { localAddress, localPort } = socketUnder(client.socket.ws);
    return endName(localAddress, localPort);
  });
  const lines = loaded.map(() => Promise.resolve());
  const left = loaded.map(({ frames }) => frames.length);
  const gap = 1000 / perSecond;
  // What it sent before is forgotten.
  await server.sent();
  let due = steadyNow();
  for (let i = 0; left[i]! > 0; i = (i + 1) % loaded.length) {
    left[i]!--;
    await sleep(due - steadyNow());
    const at = steadyNow();
    due = Math.max(due + gap, at + CATCH_UP * gap);
    lines[i] = lines[i]!.then(async () => {
      await signOnce(loaded[i]!, answers[i]!);
      asked[i]!.push({ at, roundTrip: steadyNow() - at });
    });
  }
  await Promise.all(lines);
  const sent = await server.sent();
  await finish(loaded, answers);
  return asked
    .flatMap((own, i) => own.map((one, n) => ({ ...one, inServer: sent.get(ends[i]!)![n]! - one.at })))
    .sort((a, b) => a.at - b.at);
}

/** The one below which that part of them lies. */
export function quantile(times: readonly number[], part: number): number {
  const sorted = [...times].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * part))]!;
}

/** Requests that lie beside each other in time fare alike, so whole runs of them are drawn. */
const RUN = 50;

/**
 * p99 of the second over that of the first, each of all slices together, and the bounds between which nine in ten of 500 such
 * ratios lie whose runs of requests are drawn anew from these (moving-block bootstrap, Kuensch 1989).
 */
export function ratioOfTails(
  first: readonly (readonly number[])[],
  second: readonly (readonly number[])[],
): { ratio: number; low: number; high: number } {
  const redrawn = (slices: readonly (readonly number[])[]) =>
    slices.flatMap((slice) =>
      Array.from({ length: Math.ceil(slice.length / RUN) }, () => {
        const from = Math.floor(Math.random() * Math.max(1, slice.length - RUN));
        return slice.slice(from, from + RUN);
      }).flat(),
    );
  const ratios = Array.from(
    { length: 500 },
    () => quantile(redrawn(second), 0.99) / quantile(redrawn(first), 0.99),
  );
  return {
    ratio: quantile(second.flat(), 0.99) / quantile(first.flat(), 0.99),
    low: quantile(ratios, 0.05),
    high: quantile(ratios, 0.95),
  };
}

async function finish(loaded: readonly LoadedWallet[], answers: Uint8Array<ArrayBuffer>[][]) {
  for (const [i, wallet] of loaded.entries()) {
    await checkAnswers(wallet, answers[i]!);
    await wallet.client.close();
  }
}

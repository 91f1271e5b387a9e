/** Signing requests from many wallets at once: as fast as they are answered, or at a steady rate. */
import { addressAt, checkAnswers, type LoadedWallet, loadWallet, signOnce } from './devices.ts';
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

/** Asks at a steady rate, whatever the answers do. Milliseconds of each, from when it was due. */
export async function pace(loaded: readonly LoadedWallet[], perSecond: number): Promise<number[]> {
  const times: number[] = [];
  const answers = loaded.map((): Uint8Array<ArrayBuffer>[] => []);
  const gap = (1000 * loaded.length) / perSecond;
  await Promise.all(
    loaded.map(async (wallet, i) => {
      await sleep((gap * i) / loaded.length);
      let due = performance.now();
      while (wallet.frames.length > 0) {
        await sleep(due - performance.now());
        const late = Math.max(0, performance.now() - due);
        times.push(late + (await signOnce(wallet, answers[i]!)));
        due += gap;
      }
    }),
  );
  await finish(loaded, answers);
  return times;
}

/** The one below which that part of them lies. */
export function quantile(times: readonly number[], part: number): number {
  const sorted = [...times].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * part))]!;
}

async function finish(loaded: readonly LoadedWallet[], answers: Uint8Array<ArrayBuffer>[][]) {
  for (const [i, wallet] of loaded.entries()) {
    await checkAnswers(wallet, answers[i]!);
    await wallet.client.close();
  }
}

/**
 * `npm run load`: one-input signing requests, idle connections and a flood against a cosigner in its own process, over TLS and
 * Noise on loopback. `--json` prints one flat object. `--requests N`, `--idle N`, `--cpu-prof` (the server writes a profile).
 *
 * `signsPerSecondPerCore` is requests over the server's own processor seconds (/proc), every address met for the first time;
 * `warm…` the same where addresses repeat. `p99Ms` is the round trip as the device sees it at 40 % of the rate: an upper bound of
 * server time, client and loopback included. `threeInstances` is null where it was not measured.
 */
import { parseArgs } from 'node:util';
import { PROLOGUE } from '../../src/protocol/frames.ts';
import { generateNoiseKeyPair, initiate } from '../../src/protocol/noise.ts';
import { Client, RawSocket } from '../support/cosigner.ts';
import { addressAt, checkAnswers, type LoadedWallet, loadWallet, signOnce } from './devices.ts';
import { type ServerProcess, startServer } from './server.ts';

const { values } = parseArgs({
  options: {
    json: { type: 'boolean', default: false },
    requests: { type: 'string', default: '1600' },
    idle: { type: 'string', default: '500' },
    'cpu-prof': { type: 'boolean', default: false },
  },
});
/** A wallet may have 240 decisions a minute. */
const PER_WALLET = 100;
const say = (text: string) => {
  if (!values.json) console.log(text);
};
const requests = Number(values.requests);
const wallets = Math.ceil(requests / PER_WALLET);
let addresses = 0;

async function prepare(server: ServerProcess, count: number, each: number, fresh: boolean) {
  const made: LoadedWallet[] = [];
  for (let i = 0; i < count; i++) made.push(await loadWallet(addressAt(server, ++addresses), each, fresh));
  return made;
}

/** Each wallet asks again as soon as it is answered. Signs a second of the server's processor. */
async function saturate(
  server: ServerProcess,
  loaded: LoadedWallet[],
): Promise<{ perCore: number; perSecond: number }> {
  const answers = loaded.map((): Uint8Array<ArrayBuffer>[] => []);
  const total = loaded.reduce((sum, { frames }) => sum + frames.length, 0);
  const [cpu, started] = [server.cpuSeconds(), performance.now()];
  await Promise.all(
    loaded.map(async (wallet, i) => {
      while (wallet.frames.length > 0) await signOnce(wallet, answers[i]!);
    }),
  );
  const seconds = (performance.now() - started) / 1000;
  const perCore = total / (server.cpuSeconds() - cpu);
  for (const [i, wallet] of loaded.entries()) await checkAnswers(wallet, answers[i]!);
  return { perCore, perSecond: total / seconds };
}

/** Asks at a steady rate, whatever the answers do. The 99th percentile in milliseconds. */
async function pace(loaded: LoadedWallet[], perSecond: number): Promise<number> {
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
  for (const [i, wallet] of loaded.entries()) await checkAnswers(wallet, answers[i]!);
  times.sort((a, b) => a - b);
  return times[Math.floor(times.length * 0.99)]!;
}

const sleep = (ms: number) => new Promise((resolve) => setTimeout(resolve, Math.max(0, ms)));

/** Bytes of the server's memory for a device that is connected and says nothing. */
async function idle(server: ServerProcess, count: number): Promise<number> {
  const before = server.memory();
  const clients: Client[] = [];
  for (let i = 0; i < count; i++)
    clients.push(await Client.connect(addressAt(server, ++addresses), await generateNoiseKeyPair()));
  await sleep(500);
  const bytes = (server.memory() - before) / count;
  await Promise.all(clients.map((client) => client.close()));
  return bytes;
}

/** Broken and half-open handshakes, one after the other, until told to stop. Connections made. */
function flood(server: ServerProcess): () => Promise<number> {
  let on = true;
  let made = 0;
  const work = (async () => {
    const held: RawSocket[] = [];
    while (on) {
      const socket = await RawSocket.open(server.port, undefined, `127.200.0.${1 + (made % 50)}`);
      made++;
      const local = await generateNoiseKeyPair();
      const { message } = await initiate({ local, remote: server.noiseKey, prologue: PROLOGUE });
      if (made % 3 === 0) socket.ws.send(crypto.getRandomValues(new Uint8Array(96)));
      else if (made % 3 === 1) socket.ws.send(message);
      held.push(socket);
      if (held.length > 50) held.shift()!.ws.terminate();
      await sleep(5);
    }
    for (const socket of held) socket.ws.terminate();
  })();
  return async () => {
    on = false;
    await work;
    return made;
  };
}

const server = await startServer(values['cpu-prof'] ? ['--cpu-prof'] : []);
try {
  say(`${wallets} wallets, ${PER_WALLET} requests each`);
  const warm = await saturate(server, await prepare(server, wallets, PER_WALLET, false));
  say(
    `repeated addresses: ${warm.perCore.toFixed(0)} a second a core, ${warm.perSecond.toFixed(0)} a second`,
  );
  const cold = await saturate(server, await prepare(server, wallets, PER_WALLET, true));
  say(`fresh addresses: ${cold.perCore.toFixed(0)} a second a core, ${cold.perSecond.toFixed(0)} a second`);
  const rate = 0.4 * cold.perSecond;
  const quiet = await pace(await prepare(server, 10, 60, true), rate);
  say(`at ${rate.toFixed(0)} a second: p99 ${quiet.toFixed(1)} ms`);
  const crowd = await prepare(server, 10, 60, true);
  const stopFlood = flood(server);
  const flooded = await pace(crowd, rate).finally(async () => say(`flood: ${await stopFlood()} connections`));
  say(`under the flood: p99 ${flooded.toFixed(1)} ms`);
  const idleBytes = await idle(server, Number(values.idle));
  say(`idle: ${(idleBytes / 1024).toFixed(1)} KB a connection`);
  if (values.json)
    console.log(
      JSON.stringify({
        signsPerSecondPerCore: Math.round(cold.perCore),
        warmSignsPerSecondPerCore: Math.round(warm.perCore),
        p99Ms: Number(quiet.toFixed(1)),
        idleBytesPerConnection: Math.round(idleBytes),
        floodP99Ratio: Number((flooded / quiet).toFixed(2)),
        threeInstances: null,
      }),
    );
} finally {
  await server.stop();
}
process.exit(0);

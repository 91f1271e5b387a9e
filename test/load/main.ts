/**
 * `npm run load`: one-input signing requests, idle connections and a flood against cosigners in processes of their own, over TLS
 * and Noise on loopback. `--json` prints one flat object. `--only signs,flood,idle,instances`, `--requests N`, `--idle N`,
 * `--cpu-prof` (the server writes a profile). Where it can, the server has the first core to itself and everything else the others.
 *
 * `signsPerSecondPerCore` is requests over the server's own processor seconds (/proc: all threads, user and system), each payment
 * evaluated before, as a wallet does on its Review page; `signsPerSecondPerCoreNewAddresses` is that with every address met for the
 * first time. `p99Ms` is server time at 40 % of the rate (recorder.ts), the wait for its loop included. `floodP99Ratio`
 * is that under the flood over that without. `threeInstances` is signatures a second of three cosigners over one PostgreSQL on
 * this machine. What was not measured is null.
 */
import { parseArgs } from 'node:util';
import { generateNoiseKeyPair } from '../../src/protocol/noise.ts';
import { Client } from '../support/cosigner.ts';
import type { LoadedWallet } from './devices.ts';
import { besideEachOther } from './instances.ts';
import { coresOf, type House, leaveFirstCore, openHouse, type ServerProcess, startFlood } from './server.ts';
import {
  type Asked,
  nextAddress,
  pace,
  prepare,
  quantile,
  ratioOfTails,
  type Saturated,
  saturate,
} from './traffic.ts';

const { values } = parseArgs({
  options: {
    json: { type: 'boolean', default: false },
    only: { type: 'string', default: 'signs,flood,idle,instances' },
    requests: { type: 'string', default: '5000' },
    idle: { type: 'string', default: '10000' },
    'cpu-prof': { type: 'boolean', default: false },
  },
});
/** A wallet may have 240 decisions a minute. */
const PER_WALLET = 125;
const WALLETS_AT_ONCE = 40;
/** Of the quiet and of the flooded requests; and those before them that are not counted. */
const SLICES = 5;
const WARM = 2;
const say = (text: string) => {
  if (!values.json) console.log(text);
};
const wanted = new Set(values.only.split(','));
const requests = Number(values.requests);
const report: Record<string, number | null> = {
  signsPerSecondPerCore: null,
  signsPerSecondPerCoreNewAddresses: null,
  p99Ms: null,
  idleBytesPerConnection: null,
  floodP99Ratio: null,
  threeInstances: null,
};

async function saturateAll(server: ServerProcess, total: number, fresh: boolean): Promise<Saturated> {
  let [count, seconds, cpuSeconds] = [0, 0, 0];
  while (count < total) {
    const done = await saturate([server], await prepare([server], WALLETS_AT_ONCE, PER_WALLET, fresh));
    count += done.count;
    seconds += done.seconds;
    cpuSeconds += done.cpuSeconds;
  }
  return { count, seconds, cpuSeconds };
}

const rates = ({ count, seconds, cpuSeconds }: Saturated) =>
  `${(count / cpuSeconds).toFixed(0)} a second a core, ${(count / seconds).toFixed(0)} a second`;

async function signs(server: ServerProcess): Promise<number> {
  // What is compiled once is not counted, and the compiler takes its time.
  await saturateAll(server, 2 * requests, true);
  await saturateAll(server, requests, false);
  const evaluated = await saturateAll(server, requests, false);
  say(`evaluated before: ${rates(evaluated)}`);
  const fresh = await saturateAll(server, requests, true);
  say(`new addresses: ${rates(fresh)}`);
  report.signsPerSecondPerCore = Math.round(evaluated.count / evaluated.cpuSeconds);
  report.signsPerSecondPerCoreNewAddresses = Math.round(fresh.count / fresh.cpuSeconds);
  return fresh.count / fresh.seconds;
}

/** Quiet and flooded slices in turn, taken together: what else the machine does falls on both. */
async function flood(server: ServerProcess, perSecond: number): Promise<void> {
  const rate = 0.4 * perSecond;
  const crowd = () => prepare([server], 10, Math.ceil(requests / (10 * SLICES)), true);
  const [quiet, flooded]: [Asked[][], Asked[][]] = [[], []];
  const slice = async (loaded: LoadedWallet[]) => {
    const [cpu, waited, began] = [server.cpuSeconds(), server.waitedSeconds(), performance.now()];
    const asked = await pace(server, loaded, rate);
    const share = (seconds: number) => `${((1e5 * seconds) / (performance.now() - began)).toFixed(0)} %`;
    say(
      `the server worked ${share(server.cpuSeconds() - cpu)} and waited ${share(server.waitedSeconds() - waited)} for its core`,
    );
    return asked;
  };
  const under = async () => {
    const next = await crowd();
    const flooder = await startFlood(server);
    const asked = await slice(next);
    say(`flooded: ${await flooder.stop()}`);
    return asked;
  };
  // For the same reason: what was compiled for a crowd is compiled again for one at a time.
  for (let i = 0; i < WARM; i++) {
    await slice(await crowd());
    await under();
  }
  for (let i = 0; i < SLICES; i++) {
    quiet.push(await slice(await crowd()));
    flooded.push(await under());
  }
  for (const [name, of] of [
    ['time in the server', (asked: Asked) => asked.inServer],
    ['round trip', (asked: Asked) => asked.roundTrip],
  ] as const) {
    const [q, f] = [quiet, flooded].map((slices) => slices.map((slice) => slice.map(of)));
    const line = (slices: number[][]) => {
      const each = slices.map((slice) => quantile(slice, 0.99).toFixed(1)).join(' ');
      return `median ${quantile(slices.flat(), 0.5).toFixed(1)} ms, p99 ${quantile(slices.flat(), 0.99).toFixed(1)} ms (${each})`;
    };
    say(`${name} at ${rate.toFixed(0)} a second: ${line(q!)}`);
    say(`${name} under the flood: ${line(f!)}`);
    const { ratio, low, high } = ratioOfTails(q!, f!);
    say(
      `p99 of ${name}, flooded over quiet: ${ratio.toFixed(2)}, nine in ten between ${low.toFixed(2)} and ${high.toFixed(2)}`,
    );
    if (name === 'round trip') continue;
    report.p99Ms = Number(quantile(q!.flat(), 0.99).toFixed(1));
    report.floodP99Ratio = Number(ratio.toFixed(2));
  }
}

const sayWhere = (server: ServerProcess) =>
  say(`cores: ${server.cores()} for the server, ${coresOf(process.pid)} for everything else`);

/** Memory of the server for each device that is connected and says nothing. */
async function idle(house: House, count: number): Promise<void> {
  const server = await house.start();
  sayWhere(server);
  try {
    const noise = await generateNoiseKeyPair();
    const connect = () => Client.connect(nextAddress(server), noise);
    for (let i = 0; i < 200; i++) await (await connect()).close();
    const before = server.memory();
    const clients: Client[] = [];
    while (clients.length < count) {
      clients.push(
        ...(await Promise.all(Array.from({ length: Math.min(50, count - clients.length) }, connect))),
      );
    }
    await new Promise((resolve) => setTimeout(resolve, 2000));
    const bytes = (server.memory() - before) / count;
    say(
      `${count} idle connections: ${(bytes / 1000).toFixed(1)} KB each, ${(server.memory() / 1e6).toFixed(0)} MB in all`,
    );
    report.idleBytesPerConnection = Math.round(bytes);
    for (const { socket } of clients) socket.ws.terminate();
  } finally {
    await server.stop();
  }
}

async function instances(): Promise<void> {
  const found = await besideEachOther(3, requests, Math.ceil(requests / PER_WALLET));
  for (const { instances: n, perSecond, cosignerMs, databaseMs, askerMs } of found) {
    const parts = `${cosignerMs.toFixed(2)} ms cosigner, ${databaseMs.toFixed(2)} ms PostgreSQL, ${askerMs.toFixed(2)} ms asking`;
    say(`${n} over PostgreSQL: ${perSecond.toFixed(0)} a second; ${parts}`);
  }
  report.threeInstances = Math.round(found[2]!.perSecond);
  const [alone] = await besideEachOther(1, PER_WALLET, 1);
  say(`one wallet alone: ${alone!.perSecond.toFixed(0)} a second`);
}

if (wanted.has('instances')) await instances();
const under = await leaveFirstCore();
const house = await openHouse({ under });
try {
  if (wanted.has('signs') || wanted.has('flood')) {
    const server = await house.start({
      nodeFlags: values['cpu-prof'] ? ['--cpu-prof'] : [],
      recorded: wanted.has('flood'),
    });
    sayWhere(server);
    try {
      const perSecond = await signs(server);
      if (wanted.has('flood')) await flood(server, perSecond);
    } finally {
      await server.stop();
    }
  }
} finally {
  await house.close();
}
if (wanted.has('idle')) {
  // As when all come back at once after a restart, and somebody has made room for that.
  const patient = await openHouse({ under, settings: { 'handshake-rate': '10000', 'half-open': '1000' } });
  try {
    await idle(patient, Number(values.idle));
  } finally {
    await patient.close();
  }
}
if (values.json) console.log(JSON.stringify(report));
process.exit(0);

/**
 * `npm run load`: one-input signing requests, idle connections and a flood against cosigners in processes of their own, over TLS
 * and Noise on loopback. `--json` prints one flat object. `--only signs,flood,idle,instances`, `--requests N`, `--idle N`,
 * `--cpu-prof` (the server writes a profile). Where it can, the server has the first core to itself and everything else the others.
 *
 * `signsPerSecondPerCore` is requests over the server's own processor seconds (/proc: all threads, user and system), every address
 * met for the first time. `p99Ms` is the round trip as the device sees it at 40 % of the rate: an upper bound of server time,
 * client and loopback included. `floodP99Ratio` is that under the flood over that without. `threeInstances` is signatures a
 * second of three cosigners over one PostgreSQL on this machine. What was not measured is null.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { root } from '../../scripts/setup/paths.ts';
import { generateNoiseKeyPair } from '../../src/protocol/noise.ts';
import { Client } from '../support/cosigner.ts';
import { besideEachOther } from './instances.ts';
import { type House, leaveFirstCore, onCores, openHouse, type ServerProcess } from './server.ts';
import { nextAddress, pace, prepare, quantile, type Saturated, saturate } from './traffic.ts';

const { values } = parseArgs({
  options: {
    json: { type: 'boolean', default: false },
    only: { type: 'string', default: 'signs,flood,idle,instances' },
    requests: { type: 'string', default: '4000' },
    idle: { type: 'string', default: '10000' },
    'cpu-prof': { type: 'boolean', default: false },
  },
});
/** A wallet may have 240 decisions a minute. */
const PER_WALLET = 125;
const WALLETS_AT_ONCE = 16;
const say = (text: string) => {
  if (!values.json) console.log(text);
};
const wanted = new Set(values.only.split(','));
const requests = Number(values.requests);
const report: Record<string, number | null> = {
  signsPerSecondPerCore: null,
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
  // What is compiled once is not counted.
  await saturateAll(server, requests, true);
  say(`repeated addresses: ${rates(await saturateAll(server, requests, false))}`);
  const fresh = await saturateAll(server, requests, true);
  say(`fresh addresses: ${rates(fresh)}`);
  report.signsPerSecondPerCore = Math.round(fresh.count / fresh.cpuSeconds);
  return fresh.count / fresh.seconds;
}

/** Quiet, flooded and quiet again: what else the machine does falls on both. */
async function flood(server: ServerProcess, perSecond: number): Promise<void> {
  const rate = 0.4 * perSecond;
  const round = async () => pace(await prepare([server], 12, 100, true), rate);
  const before = await round();
  const crowd = await prepare([server], 12, 100, true);
  const flooder = spawn(
    process.execPath,
    [join(root, 'test/load/flood.ts'), String(server.port), Buffer.from(server.noiseKey).toString('hex')],
    { stdio: ['ignore', 'pipe', 'inherit'] },
  );
  await once(flooder.stdout, 'data');
  const flooded = await pace(crowd, rate);
  const said = once(flooder.stdout, 'data');
  flooder.kill('SIGTERM');
  say(`flood: ${String((await said)[0]).trim()}`);
  const quiet = [...before, ...(await round())];
  const [q, f] = [quantile(quiet, 0.99), quantile(flooded, 0.99)];
  say(`at ${rate.toFixed(0)} a second: median ${quantile(quiet, 0.5).toFixed(1)} ms, p99 ${q.toFixed(1)} ms`);
  say(`under the flood: median ${quantile(flooded, 0.5).toFixed(1)} ms, p99 ${f.toFixed(1)} ms`);
  report.p99Ms = Number(q.toFixed(1));
  report.floodP99Ratio = Number((f / q).toFixed(2));
}

/** Memory of the server for each device that is connected and says nothing. */
async function idle(house: House, count: number): Promise<void> {
  const server = await house.start();
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
  const found = await besideEachOther(3, requests, 12);
  for (const { instances: n, perSecond, cosignerMs, databaseMs, askerMs } of found) {
    const parts = `${cosignerMs.toFixed(2)} ms cosigner, ${databaseMs.toFixed(2)} ms PostgreSQL, ${askerMs.toFixed(2)} ms asking`;
    say(`${n} over PostgreSQL: ${perSecond.toFixed(0)} a second; ${parts}`);
  }
  report.threeInstances = Math.round(found[2]!.perSecond);
  const [alone] = await besideEachOther(1, PER_WALLET, 1);
  say(`one wallet alone: ${alone!.perSecond.toFixed(0)} a second`);
}

if (wanted.has('instances')) await instances();
say((await leaveFirstCore()) ? 'the server has the first core' : 'no core of its own for the server');
const under = await onCores('first');
const house = await openHouse({ under });
try {
  if (wanted.has('signs') || wanted.has('flood')) {
    const server = await house.start(values['cpu-prof'] ? ['--cpu-prof'] : []);
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

/** `npm run cosigner`: reads the settings, opens the parts, and serves until told to stop. */
import { bytesToHex } from '@noble/hashes/utils.js';
import { load } from '../crypto/load.ts';
import { systemRandom } from '../crypto/random.ts';
import { ensure, isHoarfrostError } from '../protocol/errors.ts';
import { Announcements } from './announcements.ts';
import { type BackupContents, type BackupParts, backup, restore, verifyBackup } from './backup.ts';
import { openChain } from './chain.ts';
import { watchHeight } from './chainWatch.ts';
import { channelKeyFile, retireChannelKeys, rotateChannelKey } from './channelKeys.ts';
import { steadyClock, systemClock } from './clock.ts';
import {
  type BackupConfig,
  type Command,
  type Config,
  helpText,
  readConfig,
  type ServeConfig,
} from './config.ts';
import type { Cosigner } from './cosigner.ts';
import { checkDeployment, reportLines } from './doctor.ts';
import { favourLoop } from './engine.ts';
import { destroyDoomed } from './epochKeys.ts';
import { announcedKey, bindStore, type Identity, openIdentity } from './identity.ts';
import { ownFolder } from './keyFile.ts';
import { openKeyFolder } from './keywrap.ts';
import { Limiter, USUAL_LIMITS } from './limits.ts';
import { Listener } from './listener.ts';
import { createLog } from './log.ts';
import { Metrics } from './metrics.ts';
import { serveMetrics } from './metricsServer.ts';
import { openContacts } from './notify/contacts.ts';
import { Policies } from './policies.ts';
import type { Store } from './store.ts';
import { openStore } from './stores/open.ts';
import { tend } from './tending.ts';
import { terminalCode } from './terminalCode.ts';
import { issueToken, OPEN_TOKEN, pairingUri, TokenUse } from './tokens.ts';
import { Wallets } from './wallet.ts';

const DESTROY_AGAIN_MS = 10 * 60_000;

const say = (line: string) => process.stdout.write(`${line}\n`);

async function openFolder(config: Config): Promise<{ identity: Identity; store: Store }> {
  await ownFolder('data', config.dataFolder);
  const store = await openStore(config.store, config.keyFolder);
  try {
    const fresh = !(await store.bound());
    const identity = await openIdentity(config.dataFolder, fresh, await load(), systemRandom);
    await bindStore(store, identity, systemRandom);
    return { identity, store };
  } catch (e) {
    await store.close();
    throw e;
  }
}

async function sayLink(
  config: Config,
  port: number,
  identity: Identity,
  store: Store,
  token: string,
): Promise<void> {
  const { hostKey } = identity;
  const { noise } = announcedKey(identity, (await store.greeting()).channelKey);
  const address = config.public ?? { host: config.host, port };
  const link = pairingUri(address, { hostKey, noiseKey: noise.publicKey }, token, config.network);
  say(link);
  // For a person; a program that reads the link gets nothing else.
  if (process.stdout.isTTY) say(terminalCode(link));
}

async function sayPairing(config: Config, port: number, identity: Identity, store: Store): Promise<void> {
  const { token, expiresAt } = await issueToken(store, systemRandom, systemClock, config.tokenLifetimeMs);
  await sayLink(config, port, identity, store, token);
  say(`expires ${new Date(expiresAt).toISOString()}`);
}

async function init(config: Config): Promise<void> {
  const { identity, store } = await openFolder(config);
  await openKeyFolder(config.keyFolder, systemRandom);
  const { noise } = announcedKey(identity, (await store.greeting()).channelKey);
  await store.close();
  say(`data ${config.dataFolder}`);
  say(`channel key ${bytesToHex(noise.publicKey)}`);
  say(`signing key ${bytesToHex(identity.hostKey)}`);
}

async function token(config: Config): Promise<void> {
  const { identity, store } = await openFolder(config);
  try {
    await sayPairing(config, config.port, identity, store);
  } finally {
    await store.close();
  }
}

/** One step of a rotation: channelKeys.ts. */
async function channelKey(command: 'rotate' | 'announce' | 'retire', config: Config): Promise<void> {
  const { identity, store } = await openFolder(config);
  try {
    const { channelKey: announced } = await store.greeting();
    const number = announced?.number ?? 0;
    if (command === 'rotate') {
      const next = await rotateChannelKey(config.dataFolder, number, systemRandom);
      const file = channelKeyFile(next);
      say(
        `${file} is made, and nobody was told of it. Copy it into the data folder of every instance, restart`,
      );
      say('each one, and then: announce');
    } else if (command === 'announce') {
      const { number, noise } = identity.channelKeys.at(-1)!;
      await store.announce({ number, noiseKey: noise.publicKey });
      const told = announcedKey(identity, (await store.greeting()).channelKey);
      say(`channel key ${bytesToHex(told.noise.publicKey)}`);
      say('Devices hear of it as they connect, within 10 minutes if they are connected; links name it.');
    } else {
      announcedKey(identity, announced);
      for (const old of await retireChannelKeys(config.dataFolder, number))
        say(`${channelKeyFile(old)} is gone`);
      say('Do the same for every instance, and restart each: what runs goes on answering to what it knows.');
    }
  } finally {
    await store.close();
  }
}

async function doctor(config: ReturnType<typeof readConfig>): Promise<void> {
  const findings = await checkDeployment(config, systemClock);
  for (const line of reportLines(findings)) say(line);
  if (findings.some(({ state }) => state === 'bad')) process.exitCode = 1;
}

type BackupCommand = Extract<Command, 'backup' | 'restore' | 'verify-backup'>;

async function aboutBackup(command: BackupCommand, config: Config, { path, secret }: BackupConfig) {
  const identity = await openIdentity(config.dataFolder, false, await load(), systemRandom);
  const parts: BackupParts = {
    identity,
    network: config.network,
    random: systemRandom,
    signer: await load(),
    keyWrap: await openKeyFolder(config.keyFolder, systemRandom),
    now: systemClock.now,
  };
  if (command === 'verify-backup') return sayContents(await verifyBackup(parts, path, secret));
  const store = await openStore(config.store, config.keyFolder);
  try {
    if (command === 'backup') {
      await backup(store, parts, path, secret);
      sayContents(await verifyBackup(parts, path, secret));
    } else sayContents(await restore(store, parts, path, secret));
  } finally {
    await store.close();
  }
}

function sayContents({ takenAt, wallets, openShares, rows }: BackupContents): void {
  say(`taken ${new Date(takenAt).toISOString()}`);
  for (const [table, count] of rows) say(`${table} ${count}`);
  say(`shares that open ${openShares} of ${wallets}`);
  // Those wallets must be repaired: their devices do it with the words.
  ensure(openShares === wallets, 'ShareUnrecoverable', { detail: `${wallets - openShares} of ${wallets}` });
}

async function serve(config: Config, settings: ServeConfig): Promise<void> {
  favourLoop();
  const clock = steadyClock(systemClock);
  const log = createLog(config.logLevel, systemClock, (line) => process.stderr.write(line));
  const { identity, store } = await openFolder(config);
  announcedKey(identity, (await store.greeting()).channelKey);
  const cosigner: Cosigner = {
    network: config.network,
    identity,
    store,
    keyWrap: await openKeyFolder(config.keyFolder, systemRandom),
    chain: openChain(settings.chain, config.network, systemClock),
    signer: await load(),
    random: systemRandom,
    clock,
    log,
    metrics: new Metrics(),
    limiter: new Limiter({ ...USUAL_LIMITS, ...settings.limits }, clock),
    tokenUse: new TokenUse(),
    wallets: new Wallets(),
    policies: new Policies(),
    contacts: openContacts(settings.contacts, () => {
      const { host, port } = config.public ?? { host: config.host, port: listener.port };
      return `https://${host.includes(':') && !host.startsWith('[') ? `[${host}]` : host}:${port}`;
    }),
    announcements: new Announcements(),
  };
  const listener = await Listener.open(cosigner, { ...settings, host: config.host, port: config.port });
  const stopWatching = watchHeight(cosigner.chain, settings.chainPollMs, log, (height) => {
    log.debug('height', { height });
    listener.notify({ kind: 'chain', height });
  });

  void destroyDoomed(cosigner);
  const destroying = setInterval(() => void destroyDoomed(cosigner), DESTROY_AGAIN_MS);
  const stopTending = tend(cosigner);
  const metricsServer =
    settings.metrics === null ? null : await serveMetrics(cosigner, listener, clock, settings.metrics);
  let stopping = false;
  const stop = async (signal: string) => {
    if (stopping) return;
    stopping = true;
    log.info('stopping', { signal });
    stopWatching();
    clearInterval(destroying);
    await stopTending();
    await listener.drain();
    metricsServer?.close();
    cosigner.chain.close();
    await store.close();
    identity.host.wipe();
    identity.stamp.wipe();
    log.info('stopped');
  };
  process.on('SIGTERM', (signal) => void stop(signal));
  process.on('SIGINT', (signal) => void stop(signal));
  process.on('SIGUSR2', () => {
    log.level = log.level === 'debug' ? config.logLevel : 'debug';
    log.warn('log level', { level: log.level });
  });
  // Node would open its debugger, and with it all memory, to whoever may send this signal.
  process.on('SIGUSR1', () => {});

  log.info('listening', { port: listener.port });
  say(`listening wss://${config.host}:${listener.port}`);
  if (config.printPairing || (await store.awaitsFirstToken(systemClock.now()))) {
    await sayPairing(config, listener.port, identity, store);
  }
  if (settings.limits.openEnrolments !== null) {
    await sayLink(config, listener.port, identity, store, OPEN_TOKEN);
  }
}

function isAboutChannelKey(command: Command): command is 'rotate' | 'announce' | 'retire' {
  return command === 'rotate' || command === 'announce' || command === 'retire';
}

async function main(): Promise<void> {
  process.umask(0o077);
  const config = readConfig(process.argv.slice(2), process.env);
  if (config.help) process.stdout.write(helpText());
  else if (config.command === 'init') await init(config);
  else if (config.command === 'token') await token(config);
  else if (config.command === 'doctor') await doctor(config);
  else if (isAboutChannelKey(config.command)) await channelKey(config.command, config);
  else if (config.command !== 'serve') await aboutBackup(config.command, config, config.backup());
  else await serve(config, config.serve());
}

main().catch((e: unknown) => {
  const what = isHoarfrostError(e) ? e.message : e instanceof Error ? (e.stack ?? e.message) : 'failed';
  process.stderr.write(`${what}\n`);
  process.exitCode = 1;
});

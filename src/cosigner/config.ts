/**
 * Settings from flags and environment, checked as a whole before anything starts. Every complaint is `BadConfiguration` and
 * begins with the setting's name; none repeats its value, which may be a password.
 */
import { readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { parseArgs, parseEnv } from 'node:util';
import type { SocketAddress } from '../chain/transport/socket.ts';
import { HoarfrostError } from '../protocol/errors.ts';
import { NETWORKS, type Network } from '../protocol/networks.ts';
import { readContact } from '../protocol/terms.ts';
import type { BackupSecret } from './backup.ts';
import type { Limits } from './limits.ts';
import { LOG_LEVELS, type LogLevel } from './log.ts';
import type { ContactSetting } from './notify/contacts.ts';
import { readStoreSetting, type StoreSetting } from './stores/open.ts';

/** Where the chain is read: what `openChain` makes a source of. */
export type ChainSetting =
  | { kind: 'bitcoind'; url: string; auth: { user: string; password: string } | { cookieFile: string } }
  | { kind: 'esplora'; url: string }
  | { kind: 'electrum'; address: SocketAddress };

interface Setting {
  /** Flag without `--`; the environment variable is HOARFROST_ and this in capitals. */
  name: string;
  value: string;
  help: string;
  usual?: string;
}

const SETTINGS = {
  data: { name: 'data', value: 'FOLDER', help: 'keys and database of this cosigner', usual: 'cosigner-data' },
  store: {
    name: 'store',
    value: 'STORE',
    help: 'sqlite (in the data folder) or postgres://USER:PASSWORD@HOST:PORT/DATABASE (for several instances)',
    usual: 'sqlite',
  },
  keys: {
    name: 'keys',
    value: 'FOLDER',
    help: 'keys of the shares, one folder for all instances, if not in the data folder',
  },
  backup: { name: 'backup', value: 'FILE', help: 'the backup to write or to read' },
  backupKey: { name: 'backup-key', value: 'FILE', help: '32 random bytes that backups are encrypted with' },
  backupPassphrase: {
    name: 'backup-passphrase',
    value: 'FILE',
    help: 'instead of a key: one line of at least 12 characters',
  },
  network: { name: 'network', value: 'NAME', help: `one of ${NETWORKS.join(', ')}`, usual: 'regtest' },
  host: { name: 'host', value: 'ADDRESS', help: 'address to listen on', usual: '127.0.0.1' },
  port: { name: 'port', value: 'NUMBER', help: 'port to listen on; 0 takes a free one', usual: '9737' },
  public: { name: 'public', value: 'HOST:PORT', help: 'what devices connect to, if not the above' },
  tlsCert: { name: 'tls-cert', value: 'FILE', help: 'PEM certificate chain' },
  tlsKey: { name: 'tls-key', value: 'FILE', help: 'PEM private key' },
  chain: {
    name: 'chain',
    value: 'SOURCE',
    help: 'bitcoind:http://USER:PASSWORD@HOST:PORT, bitcoind:http://HOST:PORT?cookie=FILE, esplora:URL, electrum:tcp://HOST:PORT, or electrum:tls://HOST:PORT?sha256=CERTIFICATE',
  },
  chainPoll: { name: 'chain-poll', value: 'SECONDS', help: 'how often to ask for a new block', usual: '5' },
  tokenLifetime: {
    name: 'token-lifetime',
    value: 'MINUTES',
    help: 'how long an enrolment token holds',
    usual: '60',
  },
  connections: { name: 'connections', value: 'NUMBER', help: 'most connections at a time', usual: '10000' },
  halfOpen: {
    name: 'half-open',
    value: 'NUMBER',
    help: 'most unfinished handshakes at a time',
    usual: '256',
  },
  addressConnections: {
    name: 'address-connections',
    value: 'NUMBER',
    help: 'most connections of one address at a time',
    usual: '256',
  },
  addressRate: {
    name: 'address-rate',
    value: 'NUMBER',
    help: 'connections that one address may open in a minute',
    usual: '256',
  },
  handshakeRate: {
    name: 'handshake-rate',
    value: 'NUMBER',
    help: 'TLS handshakes that begin in a second; who is over it waits',
    usual: '100',
  },
  openEnrolment: {
    name: 'open-enrolment',
    value: 'NUMBER',
    help: 'wallets a day that need no token; 0: each needs one',
    usual: '0',
  },
  metrics: {
    name: 'metrics',
    value: 'HOST:PORT',
    help: 'where Prometheus reads, in clear: loopback or a network of your own',
  },
  smtp: {
    name: 'smtp',
    value: 'SERVER',
    help: 'tells contacts by e-mail: smtps://USER:PASSWORD@HOST:PORT, or smtp:// for STARTTLS',
  },
  smtpFrom: { name: 'smtp-from', value: 'ADDRESS', help: 'the address that those mails come from' },
  webhookHosts: {
    name: 'webhook-hosts',
    value: 'HOSTS',
    help: 'tells contacts by webhook: hosts that may be reached, with commas; * is any public one',
  },
  config: { name: 'config', value: 'FILE', help: 'settings, one HOARFROST_…=value a line' },
  logLevel: { name: 'log-level', value: 'LEVEL', help: `one of ${LOG_LEVELS.join(', ')}`, usual: 'info' },
} as const satisfies Record<string, Setting>;
type SettingName = keyof typeof SETTINGS;

export const COMMANDS = {
  serve: 'run the cosigner (the default)',
  init: 'make the data folder with its keys, and print what they are',
  token: 'print a fresh one-time pairing link, and when it ends',
  rotate: 'make the next channel key, which devices are not told of yet',
  announce: 'tell devices, and pairing links, of the channel key that rotate made',
  retire: 'answer no more to the channel keys before the announced one',
  doctor: 'check this deployment, and say what is wrong and what to do',
  backup: 'write all of the store, encrypted, to a new file; the keys of the shares are not in it',
  restore: 'fill an empty store with a backup; what came after it is void',
  'verify-backup': 'read a whole backup, and say what is in it',
} as const;
export type Command = keyof typeof COMMANDS;

export interface Config {
  command: Command;
  help: boolean;
  printPairing: boolean;
  dataFolder: string;
  store: StoreSetting;
  keyFolder: string;
  network: Network;
  host: string;
  port: number;
  /** As given, or null: then it is the address listened on. */
  public: { host: string; port: number } | null;
  tokenLifetimeMs: number;
  logLevel: LogLevel;
}

/** What only `serve` needs. */
export interface ServeConfig {
  cert: Buffer;
  key: Buffer;
  chain: ChainSetting;
  chainPollMs: number;
  connections: number;
  halfOpen: number;
  metrics: { host: string; port: number } | null;
  contacts: ContactSetting;
  limits: Pick<Limits, 'addressConnections' | 'addressOpens' | 'handshakes' | 'openEnrolments'>;
}

/** What only the commands about backups need. */
export interface BackupConfig {
  path: string;
  secret: BackupSecret;
}

type Values = (name: SettingName) => string | undefined;

export function readConfig(
  args: readonly string[],
  env: NodeJS.ProcessEnv,
): Config & { serve(): ServeConfig; backup(): BackupConfig } {
  const { command, flags } = readFlags(args);
  const given = (name: string) => {
    const flag = flags[name];
    return typeof flag === 'string' ? flag : env[variable(name)];
  };
  const path = given('config');
  const inFile =
    path === undefined
      ? {}
      : readSettingsFile(
          path,
          Object.values(SETTINGS).map((s) => variable(s.name)),
        );
  const values: Values = (setting) => {
    const { name, usual }: Setting = SETTINGS[setting];
    return given(name) ?? inFile[variable(name)] ?? usual;
  };
  const dataFolder = resolve(required(values, 'data'));
  return {
    command,
    help: flags.help === true,
    printPairing: flags['print-pairing'] === true,
    dataFolder,
    store: storeSetting(values, join(dataFolder, 'cosigner.sqlite')),
    keyFolder: resolve(values('keys') ?? join(dataFolder, 'epoch-keys')),
    network: oneOf(values, 'network', NETWORKS),
    host: required(values, 'host'),
    port: integer(values, 'port', 0, 65_535),
    public: hostAndPort(values, 'public'),
    tokenLifetimeMs: integer(values, 'tokenLifetime', 1, 60 * 24 * 7) * 60_000,
    logLevel: oneOf(values, 'logLevel', LOG_LEVELS),
    backup: () => ({ path: resolve(required(values, 'backup')), secret: backupSecret(values) }),
    serve: () => ({
      cert: file(values, 'tlsCert'),
      key: file(values, 'tlsKey'),
      chain: chainSetting(values),
      chainPollMs: integer(values, 'chainPoll', 1, 3600) * 1000,
      connections: integer(values, 'connections', 1, 1_000_000),
      halfOpen: integer(values, 'halfOpen', 1, 100_000),
      metrics: hostAndPort(values, 'metrics'),
      contacts: { smtp: smtpSetting(values), webhooks: webhookSetting(values) },
      limits: limits(values),
    }),
  };
}

export function helpText(): string {
  const row = (left: string, right: string) => `  ${left.padEnd(30)} ${right}`;
  const settings = Object.values(SETTINGS).map((s: Setting) =>
    row(`--${s.name} ${s.value}`, s.usual === undefined ? s.help : `${s.help} (${s.usual})`),
  );
  return [
    'Hoarfrost cosigner: holds share 2 and signs what the policy allows.',
    '',
    'npm run cosigner -- [COMMAND] [SETTINGS]',
    '',
    ...Object.entries(COMMANDS).map(([name, help]) => row(name, help)),
    '',
    ...settings,
    row('--print-pairing', 'serve: print a pairing link even where wallets or links exist'),
    row('--help', 'this text'),
    '',
    'Each setting may stand in the environment, or in the file of --config, instead: --tls-cert as HOARFROST_TLS_CERT,',
    'and so on. Flags come before the environment, the environment before the file.',
    'SIGTERM finishes what is in flight and ends; SIGUSR2 switches debug logging on and off.',
    '',
  ].join('\n');
}

function readFlags(args: readonly string[]): { command: Command; flags: Record<string, unknown> } {
  const options: Record<string, { type: 'string' | 'boolean'; short?: string }> = {
    help: { type: 'boolean', short: 'h' },
    'print-pairing': { type: 'boolean' },
  };
  for (const { name } of Object.values(SETTINGS)) options[name] = { type: 'string' };
  let parsed: { values: Record<string, unknown>; positionals: string[] };
  try {
    parsed = parseArgs({ args: [...args], options, allowPositionals: true, strict: true });
  } catch (cause) {
    // The message names the flag, and a flag that does not exist holds no secret of ours.
    const unknown = /'(--?[\w-]+)/.exec((cause as Error).message)?.[1] ?? 'flags';
    throw bad(unknown, 'not understood');
  }
  const [command = 'serve', ...rest] = parsed.positionals;
  if (rest.length > 0 || !Object.hasOwn(COMMANDS, command))
    throw bad('command', `one of ${Object.keys(COMMANDS).join(', ')}`);
  return { command: command as Command, flags: parsed.values };
}

function variable(name: string): string {
  return `HOARFROST_${name.toUpperCase().replaceAll('-', '_')}`;
}

/** One `NAME=value` a line, `#` before a comment, as systemd and compose read it too. Names that are no setting's are refused. */
function readSettingsFile(path: string, names: readonly string[]): NodeJS.Dict<string> {
  let settings: NodeJS.Dict<string>;
  try {
    settings = parseEnv(readFileSync(path, 'utf8'));
  } catch {
    throw bad('config', 'file cannot be read');
  }
  const unknown = Object.keys(settings).find((name) => !names.includes(name));
  if (unknown !== undefined) throw bad('config', `${unknown} is no setting`);
  return settings;
}

function bad(name: string, complaint: string): HoarfrostError {
  return new HoarfrostError('BadConfiguration', { detail: `${name}: ${complaint}` });
}

function required(values: Values, setting: SettingName): string {
  const value = values(setting);
  if (value === undefined || value === '') throw bad(SETTINGS[setting].name, 'must be set');
  return value;
}

function integer(values: Values, setting: SettingName, min: number, max: number): number {
  const value = required(values, setting);
  const number = Number(value);
  if (!/^\d+$/.test(value) || number < min || number > max) {
    throw bad(SETTINGS[setting].name, `a number from ${min} to ${max}`);
  }
  return number;
}

function oneOf<T extends string>(values: Values, setting: SettingName, names: readonly T[]): T {
  const value = required(values, setting);
  const name = names.find((n) => n === value);
  if (name === undefined) throw bad(SETTINGS[setting].name, `one of ${names.join(', ')}`);
  return name;
}

function file(values: Values, setting: SettingName): Buffer {
  try {
    return readFileSync(required(values, setting));
  } catch (e) {
    if (e instanceof HoarfrostError) throw e;
    throw bad(SETTINGS[setting].name, 'file cannot be read');
  }
}

function storeSetting(values: Values, path: string): StoreSetting {
  const setting = readStoreSetting(required(values, 'store'), path);
  if (setting === null) throw bad('store', 'sqlite or postgres://USER:PASSWORD@HOST:PORT/DATABASE');
  return setting;
}

function backupSecret(values: Values): BackupSecret {
  const key = values('backupKey');
  const passphrase = values('backupPassphrase');
  if ((key === undefined) === (passphrase === undefined)) {
    throw bad('backup-key', 'either this or backup-passphrase must be set');
  }
  return key === undefined
    ? { kind: 'passphrase', path: resolve(passphrase!) }
    : { kind: 'keyFile', path: resolve(key) };
}

function hostAndPort(values: Values, setting: 'public' | 'metrics'): { host: string; port: number } | null {
  const value = values(setting);
  if (value === undefined) return null;
  const match = /^([a-z0-9.-]+|\[[0-9a-f:]+\]):(\d{1,5})$/i.exec(value);
  const port = Number(match?.[2]);
  if (match === null || port < 1 || port > 65_535) throw bad(SETTINGS[setting].name, 'HOST:PORT');
  return { host: match[1]!, port };
}

function smtpSetting(values: Values): ContactSetting['smtp'] {
  const value = values('smtp');
  if (value === undefined) return null;
  const wrong = bad('smtp', 'smtps://USER:PASSWORD@HOST:PORT or smtp://USER:PASSWORD@HOST:PORT');
  if (!URL.canParse(value)) throw wrong;
  const { protocol, hostname, port, username, password, pathname, search } = new URL(value);
  const implicitTls = protocol === 'smtps:';
  if ((!implicitTls && protocol !== 'smtp:') || hostname === '' || port === '0') throw wrong;
  if (!/^\/?$/.test(pathname) || search !== '' || (username === '') !== (password === '')) throw wrong;
  const from = readContact(required(values, 'smtpFrom'));
  if (from === null || !from.startsWith('mailto:')) throw bad('smtp-from', 'an e-mail address');
  return {
    host: hostname.replace(/^\[|\]$/g, ''),
    port: port === '' ? (implicitTls ? 465 : 587) : Number(port),
    implicitTls,
    auth: username === '' ? null : { user: decoded(username, wrong), password: decoded(password, wrong) },
    from: from.slice('mailto:'.length),
  };
}

function decoded(text: string, wrong: HoarfrostError): string {
  try {
    return decodeURIComponent(text);
  } catch {
    throw wrong;
  }
}

function webhookSetting(values: Values): ContactSetting['webhooks'] {
  const value = values('webhookHosts');
  if (value === undefined) return null;
  const names = value.split(',').map((name) => name.trim().toLowerCase());
  const hosts = names.filter((name) => name !== '*');
  if (!hosts.every((name) => /^[a-z0-9.-]+$|^[0-9a-f:]+$/.test(name))) {
    throw bad('webhook-hosts', 'names of hosts with commas between them, or *');
  }
  return { hosts, any: names.includes('*') };
}

function limits(values: Values): ServeConfig['limits'] {
  const opens = integer(values, 'addressRate', 1, 1_000_000);
  const enrolments = integer(values, 'openEnrolment', 0, 1_000_000);
  return {
    addressConnections: integer(values, 'addressConnections', 1, 1_000_000),
    addressOpens: { burst: opens, perMinute: opens },
    handshakes: { burst: 16, perMinute: 60 * integer(values, 'handshakeRate', 1, 10_000) },
    openEnrolments: enrolments === 0 ? null : enrolments,
  };
}

function chainSetting(values: Values): ChainSetting {
  const value = required(values, 'chain');
  const wrong = bad('chain', 'bitcoind:http://…, esplora:https://… or electrum:tls://…');
  const [, kind, address] = /^(bitcoind|esplora|electrum):(.*)$/.exec(value) ?? [];
  let url: URL;
  try {
    url = new URL(address ?? '');
  } catch {
    throw wrong;
  }
  if (kind === 'electrum') return { kind, address: electrumAddress(url) };
  if (url.protocol !== 'http:' && url.protocol !== 'https:') throw wrong;
  if (kind === 'esplora') return { kind, url: url.href.replace(/\/$/, '') };
  const cookieFile = url.searchParams.get('cookie');
  const user = decoded(url.username, wrong);
  const password = decoded(url.password, wrong);
  if (cookieFile === null && user === '') throw bad('chain', 'bitcoind needs USER:PASSWORD@ or ?cookie=FILE');
  return {
    kind: 'bitcoind',
    url: url.origin,
    auth: cookieFile === null ? { user, password } : { cookieFile: resolve(cookieFile) },
  };
}

/** A fingerprint is that of a certificate which need not be trusted otherwise: most Electrum servers sign their own. */
function electrumAddress({ protocol, hostname, port, searchParams }: URL): SocketAddress {
  const wrong = bad(
    'chain',
    'electrum:tcp://HOST:PORT or electrum:tls://HOST:PORT, perhaps with ?sha256=HEX',
  );
  const fingerprint = searchParams.get('sha256')?.replaceAll(':', '').toLowerCase() ?? null;
  if (hostname === '' || port === '' || port === '0') throw wrong;
  if (fingerprint !== null && (protocol !== 'tls:' || !/^[0-9a-f]{64}$/.test(fingerprint))) throw wrong;
  const at = { host: hostname.replace(/^\[|\]$/g, ''), port: Number(port) };
  if (protocol === 'tcp:') return { ...at, tls: null };
  if (protocol === 'tls:') return { ...at, tls: { fingerprint } };
  throw wrong;
}

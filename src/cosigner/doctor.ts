/** `doctor`: looks at a deployment as it stands, changes nothing, and says what is wrong and what to do about it. */
import { createPrivateKey, X509Certificate } from 'node:crypto';
import { constants } from 'node:fs';
import { access, readdir, stat, statfs } from 'node:fs/promises';
import { isIP } from 'node:net';
import { join } from 'node:path';
import { getCACertificates } from 'node:tls';
import { load } from '../crypto/load.ts';
import { systemRandom } from '../crypto/random.ts';
import { equalVar } from '../protocol/bytes.ts';
import { isHoarfrostError } from '../protocol/errors.ts';
import { openChain } from './chain.ts';
import { channelKeyFile, channelKeyNumbers } from './channelKeys.ts';
import type { Clock } from './clock.ts';
import type { ChainSetting, readConfig, ServeConfig } from './config.ts';
import { announcedKey, type Identity, identityName, openIdentity } from './identity.ts';
import type { AnnouncedKey } from './store.ts';
import { CURRENT, inspectStore } from './stores/inspect.ts';

export interface Finding {
  part: 'settings' | 'tls' | 'keys' | 'store' | 'chain' | 'clock' | 'disk';
  state: 'good' | 'doubtful' | 'bad';
  says: string;
  /** What to do, unless it is good. */
  todo?: string;
}

type Config = ReturnType<typeof readConfig>;

const DAY_MS = 86_400_000;
const SOON_MS = 14 * DAY_MS;
const DEADLINE_MS = 10_000;
const CLOCK_OFF_MS = 30_000;
const DISK_BAD = 100 << 20;
const DISK_DOUBTFUL = 1 << 30;

/** One finding or more a part, in the order of `Finding.part`. Never throws. */
export async function checkDeployment(config: Config, clock: Clock): Promise<Finding[]> {
  let serve: ServeConfig | null = null;
  const findings: Finding[] = [];
  try {
    serve = config.serve();
    findings.push(good('settings', 'can be read'));
  } catch (e) {
    findings.push(bad('settings', wordsOf(e), 'Set what the line names, then ask again.'));
  }
  const parts: [Finding['part'], () => Promise<Finding[]>][] = [
    [
      'tls',
      async () => (serve === null ? [] : checkTls(serve, config.public?.host ?? config.host, clock.now())),
    ],
    ['keys', () => checkKeys(config)],
    ['store', () => checkStore(config)],
    ['chain', async () => (serve === null ? [] : checkChain(serve.chain, config, clock))],
    ['clock', async () => (serve === null ? [] : [await checkClock(serve.chain, clock)])],
    ['disk', () => checkDisk(config.dataFolder)],
  ];
  for (const [part, check] of parts) {
    try {
      findings.push(...(await check()));
    } catch (e) {
      findings.push(bad(part, wordsOf(e), todoOf(e)));
    }
  }
  return findings;
}

export function reportLines(findings: readonly Finding[]): string[] {
  const lines = findings.flatMap(({ part, state, says, todo }) => [
    `${state.padEnd(9)} ${part.padEnd(9)} ${says}`,
    ...(todo === undefined ? [] : [`${' '.repeat(20)}${todo}`]),
  ]);
  const count = (state: Finding['state']) => findings.filter((finding) => finding.state === state).length;
  return [...lines, `${count('bad')} bad, ${count('doubtful')} doubtful, ${count('good')} good`];
}

const good = (part: Finding['part'], says: string): Finding => ({ part, state: 'good', says });
const doubtful = (part: Finding['part'], says: string, todo: string): Finding => ({
  part,
  state: 'doubtful',
  says,
  todo,
});
const bad = (part: Finding['part'], says: string, todo: string): Finding => ({
  part,
  state: 'bad',
  says,
  todo,
});

function wordsOf(e: unknown): string {
  if (isHoarfrostError(e)) return e.message;
  if (isForbidden(e)) return 'this user may not read or write there';
  return (e as NodeJS.ErrnoException).code ?? 'Internal';
}

function todoOf(e: unknown): string {
  if (isForbidden(e))
    return 'Give the folders of --data and --keys to the user that runs the cosigner: 1000 in a container.';
  return 'Read the cause above; the operator’s guide has a section on it.';
}

function isForbidden(e: unknown): boolean {
  return ['EACCES', 'EPERM', 'EROFS'].includes((e as NodeJS.ErrnoException).code ?? '');
}

function checkTls({ cert, key }: ServeConfig, host: string, now: number): Finding[] {
  const chain = certificatesOf(cert);
  const [leaf] = chain;
  if (leaf === undefined) {
    return [
      bad('tls', 'tls-cert holds no certificate', 'Point --tls-cert at the PEM file of the full chain.'),
    ];
  }
  const findings: Finding[] = [];
  const until = Date.parse(leaf.validTo);
  const renew = 'Renew it and restart: devices cannot connect with one that has ended.';
  if (now < Date.parse(leaf.validFrom)) {
    findings.push(bad('tls', `the certificate begins at ${leaf.validFrom}`, 'Correct the clock, or wait.'));
  } else if (now >= until) findings.push(bad('tls', `the certificate ended at ${leaf.validTo}`, renew));
  else if (now >= until - SOON_MS)
    findings.push(doubtful('tls', `the certificate ends at ${leaf.validTo}`, renew));
  else findings.push(good('tls', `the certificate holds until ${leaf.validTo}`));

  if (!fits(leaf, key)) {
    findings.push(
      bad('tls', 'tls-key does not fit tls-cert', 'Use the key that the certificate was made for.'),
    );
  }
  const named = isIP(host) !== 0 ? leaf.checkIP(host) : leaf.checkHost(host);
  if (named === undefined) {
    findings.push(
      bad(
        'tls',
        'the certificate does not name the host of the pairing link',
        'Set --public to a name it has, or get one that names it.',
      ),
    );
  }
  if (!isPubliclyTrusted(chain)) {
    findings.push(
      doubtful(
        'tls',
        'no authority that browsers know by themselves has issued it',
        'An extension cannot click a warning away: use a public certificate, or install your authority on every device.',
      ),
    );
  }
  return findings;
}

function certificatesOf(pem: Buffer): X509Certificate[] {
  const blocks =
    pem.toString('latin1').match(/-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g) ?? [];
  try {
    return blocks.map((block) => new X509Certificate(block));
  } catch {
    return [];
  }
}

function fits(certificate: X509Certificate, key: Buffer): boolean {
  try {
    return certificate.checkPrivateKey(createPrivateKey(key));
  } catch {
    return false;
  }
}

function isPubliclyTrusted(chain: readonly X509Certificate[]): boolean {
  const top = chain.at(-1)!;
  return getCACertificates('bundled').some((pem) => {
    const root = new X509Certificate(pem);
    return (
      root.fingerprint256 === top.fingerprint256 || (top.checkIssued(root) && top.verify(root.publicKey))
    );
  });
}

async function checkKeys({ dataFolder, keyFolder }: Config): Promise<Finding[]> {
  const findings: Finding[] = [];
  let files = 0;
  const look = async (path: string, what: string, folder: boolean) => {
    let mode: number;
    try {
      ({ mode } = await stat(path));
    } catch (e) {
      if ((e as NodeJS.ErrnoException).code !== 'ENOENT') throw e;
      findings.push(
        bad(
          'keys',
          `${what} is missing`,
          'New cosigner: run init. Old one: bring the file back from its own backup.',
        ),
      );
      return false;
    }
    files++;
    if ((mode & 0o077) !== 0) {
      findings.push(
        bad(
          'keys',
          `${what} is open to other users`,
          `chmod ${folder ? '700' : '600'} it, and ask who has read it.`,
        ),
      );
    }
    return true;
  };
  await look(dataFolder, 'the data folder', true);
  const numbers = await channelKeyNumbers(dataFolder);
  const channelKeys = (numbers.length === 0 ? [0] : numbers).map(channelKeyFile);
  for (const name of ['host.key', ...channelKeys]) await look(join(dataFolder, name), name, false);
  if (await look(keyFolder, 'the folder of the shares’ keys', true)) {
    for (const name of await readdir(keyFolder)) await look(join(keyFolder, name), 'a share’s key', false);
  }
  return findings.length === 0 ? [good('keys', `${files} files and folders, for this user alone`)] : findings;
}

async function checkStore({ store: setting, dataFolder, keyFolder }: Config): Promise<Finding[]> {
  const found = await inspectStore(setting, keyFolder);
  if (found === null)
    return [doubtful('store', 'there is no database yet', 'Run init, or serve: both make it.')];
  const { version, owner, channelKey } = found;
  if (version > CURRENT) {
    const todo = 'Run the program that it was made by, or a newer one.';
    return [bad('store', `of version ${version}, and this program knows ${CURRENT}`, todo)];
  }
  if (version < CURRENT) {
    const todo = 'Stop what serves, take a backup with the program that made it, then start this one.';
    return [doubtful('store', `of version ${version}: serve brings it to ${CURRENT}`, todo)];
  }
  if (owner === null)
    return [doubtful('store', 'nobody’s yet', 'Run init, or serve: both take the database.')];
  const identity = await openIdentity(dataFolder, false, await load(), systemRandom);
  if (!equalVar(owner, identityName(identity)))
    return [bad('store', 'another cosigner’s', '--data and --store do not belong together.')];
  const answers = good('store', `${setting.kind} answers, and is this cosigner’s`);
  return [answers, ...checkChannelKeys(identity, channelKey)];
}

/** Where a rotation stands; nothing to say where there is none. */
function checkChannelKeys(identity: Identity, channelKey: AnnouncedKey | null): Finding[] {
  let announced: number;
  try {
    announced = announcedKey(identity, channelKey).number;
  } catch {
    const file = channelKeyFile(channelKey?.number ?? 0);
    const todo = 'Copy it from another instance, or bring it back from its own backup, and restart.';
    return [bad('keys', `${file} is not the channel key that devices were told of`, todo)];
  }
  const findings: Finding[] = [];
  const numbers = identity.channelKeys.map(({ number }) => number);
  const filesOf = (some: readonly number[]) => some.map(channelKeyFile).join(', ');
  const old = numbers.filter((number) => number < announced);
  const next = numbers.filter((number) => number > announced);
  if (old.length > 0) {
    const todo = 'Retire, once all devices had the time to connect: the guide says what the others will see.';
    findings.push(doubtful('keys', `${filesOf(old)} answered beside ${channelKeyFile(announced)}`, todo));
  }
  if (next.length > 0) {
    const todo = 'Copy it into the data folder of every instance, restart each, and then: announce.';
    findings.push(doubtful('keys', `no device was told of ${filesOf(next)}`, todo));
  }
  return findings;
}

async function checkChain(setting: ChainSetting, config: Config, clock: Clock): Promise<Finding[]> {
  const chain = openChain(setting, config.network, clock);
  try {
    const height = await within(chain.height());
    await within(chain.fees());
    return [good('chain', `${setting.kind} answers at height ${height}`)];
  } catch (e) {
    return [
      bad(
        'chain',
        `${setting.kind}: ${wordsOf(e)}`,
        'Check --chain, that the node runs, is synced and of this --network, and its login.',
      ),
    ];
  } finally {
    chain.close();
  }
}

/** Compared with the one clock at hand that is another machine's: the chain source's `Date`. */
async function checkClock(setting: ChainSetting, clock: Clock): Promise<Finding> {
  const unknown = doubtful(
    'clock',
    'could not be compared',
    'See that time is synchronised (timedatectl): windows and delays go by it.',
  );
  if (!('url' in setting)) return unknown;
  let date: string | null;
  try {
    date = (
      await fetch(setting.url, { method: 'HEAD', signal: AbortSignal.timeout(DEADLINE_MS) })
    ).headers.get('date');
  } catch {
    return unknown;
  }
  if (date === null) return unknown;
  const off = Math.round((clock.now() - Date.parse(date)) / 1000);
  if (Math.abs(off) * 1000 <= CLOCK_OFF_MS) return good('clock', 'agrees with the chain source');
  const todo = 'Synchronise it (timedatectl set-ntp true), then restart: windows and delays go by it.';
  return bad('clock', `${Math.abs(off)} s ${off > 0 ? 'ahead of' : 'behind'} the chain source`, todo);
}

async function checkDisk(folder: string): Promise<Finding[]> {
  await access(folder, constants.R_OK | constants.W_OK);
  const { bavail, bsize } = await statfs(folder);
  const free = bavail * bsize;
  const says = `${Math.floor(free / (1 << 20))} MiB free`;
  const todo = 'Make room: a full disk stops signing, and loses nothing.';
  if (free < DISK_BAD) return [bad('disk', says, todo)];
  return [free < DISK_DOUBTFUL ? doubtful('disk', says, todo) : good('disk', says)];
}

function within<T>(promise: Promise<T>): Promise<T> {
  return Promise.race([
    promise,
    new Promise<never>((_, reject) => {
      setTimeout(() => reject(Object.assign(new Error(), { code: 'DeadlineExceeded' })), DEADLINE_MS).unref();
    }),
  ]);
}

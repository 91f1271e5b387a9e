import { mkdir, mkdtemp, readdir, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { debianMirrors } from './apt.ts';
import { isExecutable, onPath, run } from './command.ts';
import { Missing } from './missing.ts';
import { cache } from './paths.ts';

/** A Bitcoin node to start: the program with the arguments that must stand first. */
export interface Bitcoind {
  command: string;
  args: readonly string[];
  /** The first line of `--version`. */
  version: string;
}

const MINUTE = 60_000;
const FOLDER = join(cache, 'bitcoin');
/** What signs Debian's archive, on every Debian. */
const KEYRING = '/usr/share/keyrings/debian-archive-keyring.gpg';

async function described(command: string, args: readonly string[]): Promise<Bitcoind> {
  const [version = ''] = (await run(command, [...args, '--version'], { deadlineMs: MINUTE })).split('\n');
  return { command, args, version };
}

/** The unpacked Debian package, run through the loader that was unpacked beside it. */
async function unpacked(folder: string): Promise<Bitcoind | undefined> {
  const libraries = join(folder, 'usr/lib');
  const triplets = await readdir(libraries).catch(() => []);
  const triplet = triplets.find((name) => name.endsWith('-linux-gnu'));
  if (!triplet) return undefined;
  const path = join(libraries, triplet);
  const loader = (await readdir(path)).find((name) => name.startsWith('ld-linux'));
  const program = join(folder, 'usr/bin/bitcoind');
  if (!loader || !(await isExecutable(program))) return undefined;
  return described(join(path, loader), ['--library-path', path, program]);
}

/**
 * Unpacks `bitcoin-knots` of Debian sid with its libraries into `.cache/bitcoin`. Nothing is installed: this apt
 * has lists, sources and a state of its own, and takes from the mirror that this machine already uses, signed by
 * the Debian archive key. apt's solver names the libraries, so renamed ones in sid are followed.
 */
async function unpackKnots(mirror: string): Promise<void> {
  await mkdir(cache, { recursive: true });
  const work = await mkdtemp(join(cache, 'apt-'));
  try {
    for (const folder of ['lists/partial', 'archives/partial', 'sources.d', 'unpacked']) {
      await mkdir(join(work, folder), { recursive: true });
    }
    await writeFile(join(work, 'status'), '');
    await writeFile(join(work, 'sid.list'), `deb [signed-by=${KEYRING}] ${mirror} sid main\n`);
    const settings = [
      `Dir::Etc::SourceList=${work}/sid.list`,
      `Dir::Etc::SourceParts=${work}/sources.d`,
      `Dir::State=${work}`,
      `Dir::State::Lists=${work}/lists`,
      `Dir::State::Status=${work}/status`,
      `Dir::Cache=${work}`,
      `Dir::Cache::Archives=${work}/archives`,
      'Dir::Etc::Preferences=/dev/null',
      'Dir::Etc::PreferencesParts=/dev/null',
      'APT::Default-Release=',
      'APT::Keep-Downloaded-Packages=true',
      'APT::Sandbox::User=',
      'APT::Update::Error-Mode=any',
      'Acquire::Languages=none',
    ].flatMap((setting) => ['-o', setting]);
    await run('apt-get', [...settings, 'update'], { deadlineMs: 3 * MINUTE });
    await run(
      'apt-get',
      [...settings, '-y', '--no-install-recommends', '--download-only', 'install', 'bitcoin-knots'],
      {
        deadlineMs: 5 * MINUTE,
      },
    );
    const packages = (await readdir(join(work, 'archives'))).filter((name) => name.endsWith('.deb'));
    for (const name of packages.filter((name) => /^(bitcoin-knots|lib|zlib)/.test(name))) {
      await run('dpkg', ['-x', join(work, 'archives', name), join(work, 'unpacked')], { deadlineMs: MINUTE });
    }
    if (!(await unpacked(join(work, 'unpacked'))))
      throw new Error('the package holds no bitcoind that runs here');
    await rm(FOLDER, { recursive: true, force: true });
    await rename(join(work, 'unpacked'), FOLDER);
  } finally {
    await rm(work, { recursive: true, force: true });
  }
}

const REMEDY = 'your package manager (Bitcoin Core 28 or newer), then BITCOIND=path or bitcoind on the PATH';

/**
 * A Bitcoin node that is already here: `BITCOIND=path`, then the PATH, then the one under `.cache/bitcoin`.
 * @throws Missing
 */
export async function findBitcoind(): Promise<Bitcoind> {
  const set = process.env.BITCOIND;
  if (set && !(await isExecutable(set)))
    throw new Missing(`bitcoind at BITCOIND=${set}`, 'a BITCOIND that names a program');
  const path = set || (await onPath('bitcoind'));
  const found = path ? await described(path, []) : await unpacked(FOLDER);
  if (!found) throw new Missing('a Bitcoin node', REMEDY);
  return found;
}

/**
 * A Bitcoin node, on Debian unpacked under `.cache/bitcoin` where none is here. Needs no root.
 * @throws Missing
 */
export async function getBitcoind(): Promise<Bitcoind> {
  try {
    return await findBitcoind();
  } catch (missing) {
    if (process.env.BITCOIND) throw missing;
    let why: unknown = missing;
    for (const mirror of await debianMirrors()) {
      try {
        await unpackKnots(mirror);
        return await findBitcoind();
      } catch (error) {
        why = error;
      }
    }
    throw why;
  }
}

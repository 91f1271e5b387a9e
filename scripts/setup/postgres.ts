import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { chown, mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { aptInstall, mayInstall } from './apt.ts';
import { isExecutable, onPath, run } from './command.ts';
import { Missing } from './missing.ts';
import { freePort, heard, type Running, start } from './processes.ts';

/** A PostgreSQL server of our own, on the loopback address, that nothing else uses. */
export interface PostgresServer {
  port: number;
  /** `127.0.0.1:PORT`: for a URL that names several. */
  host: string;
  /** `user:password` of its superuser, the same on a standby. */
  login: string;
  url(database: string): string;
  /** Runs one command of SQL. Gives the rows as psql prints them without ornaments. */
  sql(command: string, database?: string): Promise<string>;
  /** A new server that follows this one, with its data from now on. */
  standby(options?: { name?: string }): Promise<PostgresServer>;
  /** A standby becomes a primary. */
  promote(): Promise<void>;
  /** SIGKILL: nothing is flushed or said. */
  kill(): Promise<void>;
  /** Starts again what was killed or stopped, on its data and its port. */
  restart(): Promise<void>;
  /** Whether it has not ended by itself. */
  runs(): boolean;
  /** Ends the server and keeps its data. */
  halt(): Promise<void>;
  /** Ends the server and removes its data. */
  stop(): Promise<void>;
}

const MINUTE = 60_000;
/** Children of a server that was killed may write for a moment. */
const GONE = { recursive: true, force: true, maxRetries: 5 };
const DEBIAN = '/usr/lib/postgresql';
const OLDEST = 13;
const USER = 'hoarfrost';
const READY = /database system is ready to accept (read-only )?connections/;

/** The folder of the server's programs: `POSTGRES=folder`, then Debian's newest, then the one of `postgres` on the PATH. @throws Missing */
export async function findPostgres(): Promise<string> {
  const set = process.env.POSTGRES;
  const versions = (await readdir(DEBIAN).catch(() => [])).map(Number).filter((version) => version >= OLDEST);
  const debian = versions.sort((a, b) => b - a).map((version) => join(DEBIAN, String(version), 'bin'));
  const path = await onPath('postgres');
  const folders = set ? [set] : [...debian, ...(path ? [join(path, '..')] : [])];
  for (const folder of folders) {
    const programs = ['postgres', 'initdb', 'pg_basebackup', 'psql'].map((name) => join(folder, name));
    if ((await Promise.all(programs.map(isExecutable))).every(Boolean)) return folder;
  }
  throw new Missing('PostgreSQL', 'apt-get install postgresql (Debian), or POSTGRES=folder of its programs');
}

/** As `findPostgres`; on Debian installed first where that may be done, without the server that Debian would start. @throws Missing */
export async function getPostgres(): Promise<string> {
  try {
    return await findPostgres();
  } catch (missing) {
    if (process.env.POSTGRES || !(await mayInstall())) throw missing;
    await mkdir('/etc/postgresql-common/createcluster.d', { recursive: true });
    await writeFile('/etc/postgresql-common/createcluster.d/hoarfrost.conf', 'create_main_cluster = false\n');
    await aptInstall('postgresql');
    return findPostgres();
  }
}

/** PostgreSQL refuses to run as root: then somebody else runs it. */
async function unprivileged(): Promise<{ prefix: string[]; uid: number | undefined }> {
  if (process.getuid?.() !== 0) return { prefix: [], uid: undefined };
  for (const name of ['postgres', 'nobody']) {
    const uid = await run('id', ['-u', name], { deadlineMs: MINUTE }).catch(() => undefined);
    if (uid === undefined) continue;
    const gid = await run('id', ['-g', name], { deadlineMs: MINUTE });
    const prefix = ['setpriv', `--reuid=${uid.trim()}`, `--regid=${gid.trim()}`, '--clear-groups', '--'];
    return { prefix, uid: Number(uid) };
  }
  throw new Missing('a user that is not root', 'adduser postgres');
}

/** The user that the server runs as, where that is not who runs this. @throws Missing */
export const postgresUser = async (): Promise<number | undefined> => (await unprivileged()).uid;

export interface PostgresOptions {
  /** Lines of postgresql.conf. */
  settings?: readonly string[];
  /** Where `data` is made, or lies empty; a new one when left out. */
  folder?: string;
  /** A command that runs what is put behind it: the server, and what makes its data. */
  under?: readonly string[];
}

/**
 * Makes and starts an empty server.
 * @throws Missing; Error with the server's words when it does not start
 */
export async function startPostgres(options: PostgresOptions = {}): Promise<PostgresServer> {
  const password = randomBytes(16).toString('hex');
  const { settings = [], under = [], folder = await newFolder() } = options;
  const passwordFile = join(folder, 'password');
  await writeFile(passwordFile, password, { mode: 0o600 });
  const { uid } = await unprivileged();
  if (uid !== undefined) await chown(passwordFile, uid, -1);
  const data = join(folder, 'data');
  try {
    const login = ['-U', USER, '-A', 'scram-sha-256', `--pwfile=${passwordFile}`];
    // Small files of its log, so that a small disk holds it.
    const form = ['-E', 'UTF8', '--locale=C', '--wal-segsize=1'];
    await program('initdb', ['-D', data, ...login, ...form], { under });
    return await serve(folder, password, settings, under);
  } catch (error) {
    await rm(folder, GONE);
    throw error;
  }
}

export async function newFolder(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'hoarfrost-postgres-'));
  const { uid } = await unprivileged();
  if (uid !== undefined) await chown(folder, uid, -1);
  return folder;
}

/** Runs one of the server's programs to its end, as who may run it. */
async function program(
  name: string,
  args: readonly string[],
  { env = {}, under = [] }: { env?: Record<string, string>; under?: readonly string[] } = {},
): Promise<string> {
  const { prefix } = await unprivileged();
  const [command, ...rest] = [...under, ...prefix, join(await findPostgres(), name), ...args];
  return run(command!, rest, { cwd: '/', env, deadlineMs: 2 * MINUTE });
}

/** Starts the server on the data that is there. */
async function serve(
  folder: string,
  password: string,
  settings: readonly string[],
  under: readonly string[] = [],
): Promise<PostgresServer> {
  const port = await freePort();
  const data = join(folder, 'data');
  const login = `${USER}:${password}`;
  let running: Running;
  const launch = async () => {
    const { prefix } = await unprivileged();
    const lines = [
      `port=${port}`,
      'listen_addresses=127.0.0.1',
      'unix_socket_directories=',
      'lc_messages=C',
      'shared_buffers=32MB',
      'max_connections=120',
      ...settings,
    ];
    const [command, ...args] = [...under, ...prefix, join(await findPostgres(), 'postgres'), '-D', data];
    running = start(command!, [...args, ...lines.flatMap((line) => ['-c', line])], { cwd: '/' });
    await heard('PostgreSQL', running, (said) => READY.test(said) || undefined, MINUTE);
  };
  const runs = () => running.child.exitCode === null && running.child.signalCode === null;
  /** SIGINT is its fast shutdown; SIGTERM would wait for the clients to leave. */
  const end = async (signal: 'SIGINT' | 'SIGKILL') => {
    if (!runs()) return;
    const ended = once(running.child, 'exit');
    running.child.kill(signal);
    const timer = setTimeout(() => running.child.kill('SIGKILL'), 20_000);
    await ended;
    clearTimeout(timer);
  };
  const sql = async (command: string, database = 'postgres') => {
    const args = [
      '-X',
      '-A',
      '-t',
      '-q',
      '-v',
      'ON_ERROR_STOP=1',
      '-h',
      '127.0.0.1',
      '-p',
      String(port),
      '-U',
      USER,
    ];
    return (
      await program('psql', [...args, '-d', database, '-c', command], { env: { PGPASSWORD: password } })
    ).trim();
  };
  await launch();
  return {
    port,
    host: `127.0.0.1:${port}`,
    login,
    url: (database) => `postgres://${login}@127.0.0.1:${port}/${database}`,
    sql,
    async standby({ name = 'standby' } = {}) {
      const own = await newFolder();
      const from = `host=127.0.0.1 port=${port} user=${USER} password=${password} application_name=${name}`;
      try {
        await program('pg_basebackup', [
          '-D',
          join(own, 'data'),
          '-d',
          from,
          '-R',
          '-X',
          'stream',
          '--checkpoint=fast',
        ]);
        return await serve(own, password, settings);
      } catch (error) {
        await rm(own, GONE);
        throw error;
      }
    },
    async promote() {
      await sql('SELECT pg_promote(true, 30)');
    },
    kill: () => end('SIGKILL'),
    runs,
    async restart() {
      // After a kill the server's children may live for a moment and hold its shared memory.
      for (let tries = 0; ; tries++) {
        try {
          return await launch();
        } catch (error) {
          if (tries === 20) throw error;
          await new Promise((resolve) => setTimeout(resolve, 100));
        }
      }
    },
    halt: () => end('SIGINT'),
    async stop() {
      await end('SIGINT');
      await rm(folder, GONE);
    },
  };
}

/** Where a PostgreSQL is, as one line: `postgres://USER:PASSWORD@HOST:PORT[,HOST:PORT…]/DATABASE?…`. */
import { readFileSync } from 'node:fs';
import type { ConnectionOptions } from 'node:tls';
import { HoarfrostError } from '../../protocol/errors.ts';

export interface PostgresSetting {
  /** In the order in which they are tried; a server in recovery is passed over. A path is a folder with a socket. */
  readonly hosts: readonly { host: string; port: number }[];
  readonly user: string | undefined;
  readonly password: string | undefined;
  readonly database: string | undefined;
  readonly ssl: ConnectionOptions | false;
  /** Only a standby that had confirmed every commit is ever promoted: so says the operator. */
  readonly losesNothing: boolean;
}

const PORT = 5432;
const LOCAL = /^(127\.\d+\.\d+\.\d+|localhost|\[?::1\]?|\/.*)$/;

/**
 * Parameters: `host=/FOLDER` (a Unix socket), `sslmode=verify-full|disable` (the first anywhere but on this machine),
 * `sslrootcert=FILE`, `failover=lossy|synchronous` (the first). Throws `BadConfiguration`, without the text.
 */
export function parsePostgresUrl(text: string): PostgresSetting {
  const match = /^postgres(?:ql)?:\/\/(?:([^:@/]*)(?::([^@/]*))?@)?([^/?@]*)(?:\/([^?]*))?(?:\?(.*))?$/.exec(
    text,
  );
  if (match === null) throw bad('postgres://USER:PASSWORD@HOST:PORT/DATABASE');
  const [, user, password, servers = '', database, query = ''] = match;
  const parameters = new URLSearchParams(query);
  const folder = parameters.get('host');
  const hosts =
    servers === '' && folder !== null
      ? [{ host: folder, port: portIn(parameters.get('port')) }]
      : servers.split(',').map(hostOf);
  const local = hosts.every(({ host }) => LOCAL.test(host));
  return {
    hosts,
    user: decoded(user),
    password: decoded(password),
    database: decoded(database),
    ssl: sslOf(parameters, local),
    losesNothing: choice(parameters, 'failover', ['lossy', 'synchronous']) === 'synchronous',
  };
}

function hostOf(server: string): { host: string; port: number } {
  const match = /^(\[[0-9a-f:]+\]|[\w.-]+)(?::(\d+))?$/i.exec(server);
  if (match === null) throw bad('HOST:PORT');
  return { host: match[1]!.replace(/^\[|\]$/g, ''), port: portIn(match[2]) };
}

function portIn(text: string | null | undefined): number {
  const port = Number(text ?? PORT);
  if (!Number.isInteger(port) || port < 1 || port > 65_535) throw bad('a port from 1 to 65535');
  return port;
}

function sslOf(parameters: URLSearchParams, local: boolean): ConnectionOptions | false {
  const root = parameters.get('sslrootcert');
  const mode = choice(
    parameters,
    'sslmode',
    local && root === null ? ['disable', 'verify-full'] : ['verify-full', 'disable'],
  );
  if (mode === 'disable') return false;
  try {
    return {
      rejectUnauthorized: true,
      minVersion: 'TLSv1.2',
      ...(root === null ? {} : { ca: readFileSync(root) }),
    };
  } catch {
    throw bad('sslrootcert cannot be read');
  }
}

/** The first of `names` where nothing is said. */
function choice(parameters: URLSearchParams, name: string, names: readonly string[]): string {
  const value = parameters.get(name) ?? names[0]!;
  if (!names.includes(value)) throw bad(`${name} is one of ${names.join(', ')}`);
  return value;
}

function decoded(encoded: string | undefined): string | undefined {
  if (encoded === undefined || encoded === '') return undefined;
  try {
    return decodeURIComponent(encoded);
  } catch {
    throw bad('percent-encoding');
  }
}

function bad(complaint: string): HoarfrostError {
  return new HoarfrostError('BadConfiguration', { detail: `store: ${complaint}` });
}

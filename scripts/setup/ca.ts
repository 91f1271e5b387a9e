import { createHash, X509Certificate } from 'node:crypto';
import { mkdir, mkdtemp, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { run } from './command.ts';
import { cache } from './paths.ts';
import { CERTUTIL, findTool, getTool, OPENSSL } from './tools.ts';

/**
 * TLS on this machine only: a CA made here that can vouch for the loopback names alone, and one certificate by
 * it. The CA's key signs once and is deleted, so nobody who reads the folder can make another.
 */
export interface LocalTls {
  /** PEM files. */
  caFile: string;
  certFile: string;
  keyFile: string;
  /** SHA-256 of the leaf's SubjectPublicKeyInfo, base64: what Chromium's SPKI list takes. */
  spkiHash: string;
}

const DEADLINE = 60_000;
const DAYS = 90;
const RENEW_BEFORE_MS = 7 * 86_400_000;
const LOOPBACK = 'IP:127.0.0.1,DNS:localhost';

const caSettings = `
[req]
distinguished_name = name
x509_extensions = ca
prompt = no
[name]
CN = Hoarfrost on this machine
[ca]
basicConstraints = critical,CA:true,pathlen:0
keyUsage = critical,keyCertSign
subjectKeyIdentifier = hash
nameConstraints = critical,permitted;IP:127.0.0.1/255.255.255.255,permitted;DNS:localhost
`;
const leafSettings = `
basicConstraints = critical,CA:false
keyUsage = critical,digitalSignature
extendedKeyUsage = serverAuth
subjectAltName = ${LOOPBACK}
`;

const p256 = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes'];

async function make(folder: string): Promise<void> {
  const program = await getTool(OPENSSL);
  const openssl = (...args: string[]) => run(program, args, { cwd: folder, deadlineMs: DEADLINE });
  await writeFile(join(folder, 'ca.conf'), caSettings);
  await writeFile(join(folder, 'leaf.conf'), leafSettings);
  const days = ['-days', String(DAYS)];
  await openssl(
    'req',
    '-x509',
    ...p256,
    '-config',
    'ca.conf',
    ...days,
    '-keyout',
    'ca.key',
    '-out',
    'ca.pem',
  );
  await openssl('req', '-new', ...p256, '-subj', '/CN=localhost', '-keyout', 'leaf.key', '-out', 'leaf.csr');
  const signer = ['-CA', 'ca.pem', '-CAkey', 'ca.key', '-CAcreateserial'];
  await openssl(
    'x509',
    '-req',
    '-in',
    'leaf.csr',
    ...signer,
    '-extfile',
    'leaf.conf',
    ...days,
    '-out',
    'leaf.pem',
  );
  for (const spent of ['ca.key', 'ca.srl', 'ca.conf', 'leaf.csr', 'leaf.conf']) {
    await rm(join(folder, spent), { force: true });
  }
}

async function read(folder: string): Promise<LocalTls | undefined> {
  const certFile = join(folder, 'leaf.pem');
  const pem = await readFile(certFile, 'utf8').catch(() => undefined);
  if (pem === undefined) return undefined;
  const leaf = new X509Certificate(pem);
  if (Date.parse(leaf.validTo) - Date.now() < RENEW_BEFORE_MS) return undefined;
  const spki = leaf.publicKey.export({ type: 'spki', format: 'der' });
  return {
    caFile: join(folder, 'ca.pem'),
    certFile,
    keyFile: join(folder, 'leaf.key'),
    spkiHash: createHash('sha256').update(spki).digest('base64'),
  };
}

/**
 * The local CA and its certificate for 127.0.0.1 and localhost; made when missing or near their end.
 * @param folder readable by this user alone
 */
export async function localTls(folder = join(cache, 'tls')): Promise<LocalTls> {
  const here = await read(folder);
  if (here) return here;
  await mkdir(join(folder, '..'), { recursive: true });
  // mkdtemp gives mode 0700, and openssl writes keys with 0600. Moved in one piece: a reader sees all or nothing.
  const made = await mkdtemp(`${folder}-`);
  await make(made);
  await rm(folder, { recursive: true, force: true });
  await rename(made, folder);
  const tls = await read(folder);
  if (!tls) throw new Error('openssl made no certificate that is valid now');
  return tls;
}

/** Makes a Firefox profile trust the local CA, by the NSS database that Firefox reads at its start. */
export async function trustInFirefox(profile: string, tls: LocalTls): Promise<void> {
  const certutil = await findTool(CERTUTIL);
  const database = `sql:${profile}`;
  await run(certutil, ['-N', '-d', database, '--empty-password'], { deadlineMs: DEADLINE });
  await run(certutil, ['-A', '-d', database, '-n', 'hoarfrost', '-t', 'C,,', '-i', tls.caFile], {
    deadlineMs: DEADLINE,
  });
}

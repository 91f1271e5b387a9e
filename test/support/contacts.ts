/** The other end of a notice: a real SMTP server and a real HTTPS server, on loopback, with a certificate of the tests' own CA. */
import { readFileSync } from 'node:fs';
import { createServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { SMTPServer } from 'smtp-server';
import type { SmtpSetting } from '../../src/cosigner/notify/email.ts';
import { testTls } from './cosigner.ts';

export interface Mail {
  readonly from: string;
  readonly to: string[];
  readonly user: string | null;
  /** Whether TLS was on when it came. */
  readonly secure: boolean;
  /** Headers and body, soft line breaks undone. */
  readonly text: string;
}

export interface MailServer {
  readonly setting: SmtpSetting;
  readonly mails: Mail[];
  /** What the next mails are refused with; null takes them. */
  refusing: string | null;
  close(): Promise<void>;
}

const USER = 'cosigner';
const PASSWORD = 'p@ss:w/rd';

export async function startMail({
  implicitTls = false,
  auth = true,
  starttls = true,
} = {}): Promise<MailServer> {
  const tls = await testTls;
  const mails: Mail[] = [];
  const state: { refusing: string | null } = { refusing: null };
  const server = new SMTPServer({
    secure: implicitTls,
    cert: readFileSync(tls.certFile),
    key: readFileSync(tls.keyFile),
    authOptional: !auth,
    hideSTARTTLS: !starttls,
    ...(starttls ? {} : { disabledCommands: ['STARTTLS'] }),
    onAuth: ({ username, password }, _session, done) =>
      username === USER && password === PASSWORD ? done(null, { user: username }) : done(new Error('no')),
    onData(stream, session, done) {
      const chunks: Buffer[] = [];
      stream.on('data', (chunk: Buffer) => chunks.push(chunk));
      stream.on('end', () => {
        if (state.refusing !== null) return done(new Error(state.refusing));
        const { mailFrom, rcptTo } = session.envelope;
        const raw = Buffer.concat(chunks).toString('utf8');
        const plain = raw
          .replace(/=\r\n/g, '')
          .replace(/=([0-9A-F]{2})/g, (_, hex) => String.fromCharCode(Number.parseInt(hex, 16)));
        mails.push({
          from: mailFrom === false ? '' : mailFrom.address,
          to: rcptTo.map(({ address }) => address),
          user: typeof session.user === 'string' ? session.user : null,
          secure: session.secure,
          text: plain,
        });
        done();
      });
    },
  });
  server.on('error', () => {});
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.server.address() as AddressInfo;
  return {
    setting: {
      host: '127.0.0.1',
      port,
      implicitTls,
      auth: auth ? { user: USER, password: PASSWORD } : null,
      from: 'cosigner@example.org',
    },
    mails,
    get refusing() {
      return state.refusing;
    },
    set refusing(why) {
      state.refusing = why;
    },
    close: () => new Promise((resolve) => server.close(() => resolve())),
  };
}

export interface Hook {
  readonly url: string;
  readonly got: {
    readonly headers: NodeJS.Dict<string | string[]>;
    readonly body: Buffer;
    readonly path: string;
  }[];
  /** Status of the next answers. */
  status: number;
  close(): Promise<void>;
}

export async function startHook(): Promise<Hook> {
  const tls = await testTls;
  const hook = { got: [] as Hook['got'], status: 204 };
  const server = createServer(
    { cert: readFileSync(tls.certFile), key: readFileSync(tls.keyFile) },
    async (request, response) => {
      const chunks: Buffer[] = [];
      for await (const chunk of request as AsyncIterable<Buffer>) chunks.push(chunk);
      hook.got.push({ headers: request.headers, body: Buffer.concat(chunks), path: request.url ?? '' });
      response.writeHead(hook.status, hook.status === 307 ? { location: '/elsewhere' } : {}).end();
    },
  );
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  return Object.assign(hook, {
    url: `https://127.0.0.1:${port}/hook`,
    close: () =>
      new Promise<void>((resolve) => {
        server.closeAllConnections();
        server.close(() => resolve());
      }),
  });
}

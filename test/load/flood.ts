/**
 * A flood, in a process of its own (`node test/load/flood.ts PORT NOISE_KEY`): from fifty addresses, as fast as it can, it opens
 * connections that are silent, that send garbage instead of TLS, that stop after TLS, that send garbage instead of a handshake,
 * and that begin a good handshake and go no further. It says `flooding` once it runs and, told to end, what it did.
 */
import { connect } from 'node:net';
import { setPriority } from 'node:os';
import { setTimeout as sleep } from 'node:timers/promises';
import { connect as connectTls } from 'node:tls';
import { PROLOGUE } from '../../src/protocol/frames.ts';
import { generateNoiseKeyPair, initiate } from '../../src/protocol/noise.ts';
import { RawSocket } from '../support/cosigner.ts';

const KINDS = ['silence', 'garbage', 'tlsAlone', 'badHandshake', 'halfOpen'] as const;
const HELD_MS = 1000;
const AT_ONCE = 250;

const port = Number(process.argv[2]);
const remote = Uint8Array.from(Buffer.from(process.argv[3]!, 'hex'));
const done: Record<string, number> = { refused: 0 };
let made = 0;
// Real floods come from elsewhere: this one lets whoever measures go first, always.
setPriority(19);

async function once(kind: (typeof KINDS)[number], from: string): Promise<void> {
  if (kind === 'silence' || kind === 'garbage' || kind === 'tlsAlone') {
    const options = { host: '127.0.0.1', port, localAddress: from };
    const socket =
      kind === 'tlsAlone' ? connectTls({ ...options, rejectUnauthorized: false }) : connect(options);
    const closed = new Promise<void>((resolve) => socket.on('close', () => resolve()));
    socket.on('error', () => {});
    socket.on('connect', () => kind === 'garbage' && socket.write(crypto.getRandomValues(Buffer.alloc(512))));
    await Promise.race([closed, sleep(HELD_MS)]);
    socket.destroy();
    return;
  }
  const socket = await RawSocket.open(port, undefined, from);
  const local = await generateNoiseKeyPair();
  const { message } = await initiate({ local, remote, prologue: PROLOGUE });
  socket.ws.send(kind === 'halfOpen' ? message : crypto.getRandomValues(new Uint8Array(96)));
  await Promise.race([socket.closed, sleep(HELD_MS)]);
  socket.ws.terminate();
}

async function keepOn(): Promise<void> {
  for (;;) {
    const n = made++;
    const kind = KINDS[n % KINDS.length]!;
    try {
      await once(kind, `127.200.0.${1 + (n % 50)}`);
      done[kind] = (done[kind] ?? 0) + 1;
    } catch {
      done.refused!++;
    }
  }
}

process.on('SIGTERM', () => {
  process.stdout.write(`${JSON.stringify(done)}\n`);
  process.exit(0);
});
for (let i = 0; i < AT_ONCE; i++) void keepOn();
setTimeout(() => process.stdout.write('flooding\n'), 1000);

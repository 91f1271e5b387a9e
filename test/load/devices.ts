/** Wallets with signing requests that are sealed before the clock starts, so that the server alone is at work. */
import { deriveAhead } from '../../src/bitcoin/descriptor.ts';
import { buildPayment, parsePsbt } from '../../src/bitcoin/psbt.ts';
import { sighashes } from '../../src/bitcoin/sighash.ts';
import { load } from '../../src/crypto/load.ts';
import { systemRandom } from '../../src/crypto/random.ts';
import { commitAll, dropAll } from '../../src/frost/signing.ts';
import { decode, encode } from '../../src/protocol/codec.ts';
import { Joiner, splitMessage } from '../../src/protocol/frames.ts';
import { answer, request, signBody } from '../../src/protocol/messages.ts';
import { generateNoiseKeyPair } from '../../src/protocol/noise.ts';
import {
  type Address,
  Client,
  coinsOf,
  enrol,
  PAYEE,
  policyOf,
  signRequest,
  type TestDevice,
} from '../support/cosigner.ts';

type Bytes = Uint8Array<ArrayBuffer>;

export interface LoadedWallet {
  readonly client: Client;
  readonly device: TestDevice;
  /** Sealed, in the order in which they must go. */
  readonly frames: Bytes[];
}

/** Every address of 127.0.0.0/8 is this machine, and to the server another customer. */
export function addressAt({ port, noiseKey }: Pick<Address, 'port' | 'noiseKey'>, n: number): Address {
  return { port, noiseKey, from: `127.${1 + (n >> 16)}.${(n >> 8) & 255}.${1 + (n & 127)}` };
}

/**
 * Each request spends from an address of its own and pays change to another. `fresh`: to ones that the server meets with the request;
 * otherwise each payment is evaluated first, as a wallet does on its Review page.
 */
export async function loadWallet(address: Address, requests: number, fresh: boolean): Promise<LoadedWallet> {
  const noise = await generateNoiseKeyPair();
  const first = await Client.connect(address, noise);
  const policy = policyOf();
  const device = await enrol(first, noise, 'open', { policy });
  await first.close();
  const client = await Client.connect(address, noise);
  const signer = await load();
  const indices = Array.from({ length: requests }, (_, index) => index);
  const paths = indices.flatMap((index) => [{ branch: 0, index } as const, { branch: 1, index } as const]);
  deriveAhead(signer, device.account, paths);
  const psbts = indices.map((index) =>
    buildPayment({
      account: device.account,
      coins: coinsOf(1, 1_000_000n).map((coin) => ({ ...coin, index })),
      outputs: [{ script: PAYEE, value: 1000n }],
      change: { path: { branch: 1, index }, value: 998_500n },
      randomness: systemRandom(4),
    }),
  );
  if (!fresh) for (const psbt of psbts) await client.ask({ kind: 'evaluate', psbt }, 'evaluated');
  const frames: Bytes[] = [];
  for (const [i, psbt] of psbts.entries()) {
    const attempt = systemRandom(16);
    const at = {
      groupKey: device.keys.groupKey,
      handshakeHash: client.transport.handshakeHash,
      attempt,
      epoch: 0,
    };
    const inputs = sighashes(parsePsbt(psbt), device.account);
    const committed = commitAll(signer, device.share, at, inputs, systemRandom);
    const commitments = committed.commitments.map((c) => Uint8Array.from(c));
    dropAll(signer, committed);
    const body = encode(signBody, { attempt, epoch: 0, ledger: client.ledger, psbt, commitments });
    const message = encode(request, await signRequest(client, device, body));
    const number = client.answered + 1 + i;
    for (const part of splitMessage(number, message)) frames.push(await client.transport.seal(part));
  }
  return { client, device, frames };
}

/** Sends the next request and waits for its answer's frame. Milliseconds. */
export async function signOnce({ client, frames }: LoadedWallet, answers: Bytes[]): Promise<number> {
  const started = performance.now();
  client.socket.ws.send(frames.shift()!);
  const frame = await client.socket.next();
  if (frame === null) throw new Error(`closed: ${(await client.socket.closed).reason}`);
  const took = performance.now() - started;
  answers.push(frame);
  return took;
}

/** Afterwards: that every answer was a signature. */
export async function checkAnswers({ client }: LoadedWallet, answers: readonly Bytes[]): Promise<void> {
  const joiner = new Joiner();
  for (const frame of answers) {
    const whole = joiner.push(await client.transport.open(frame));
    const said = whole === null ? null : decode(answer, whole.message);
    if (said?.kind !== 'signed') throw new Error(`${said?.kind}: ${said?.kind === 'error' ? said.code : ''}`);
  }
}

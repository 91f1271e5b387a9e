/**
 * Garbage against a listening cosigner, over TLS: broken handshakes, frames that do not decrypt, sealed nonsense, requests that
 * are almost right. Whatever came, an honest device is served afterwards, and nothing surprised the server.
 */
import { encode } from '../../src/protocol/codec.ts';
import { PROLOGUE } from '../../src/protocol/frames.ts';
import { envelope, request } from '../../src/protocol/messages.ts';
import { generateNoiseKeyPair, initiate } from '../../src/protocol/noise.ts';
import {
  addressOf,
  Client,
  newDevice,
  pay,
  RawSocket,
  type Running,
  removeFolder,
  startCosigner,
  testFolder,
  within,
} from '../support/cosigner.ts';
import { mutate } from './mutate.ts';
import { Rng } from './rng.ts';
import { valueFor } from './values.ts';

/** Connections of garbage, and what is wrong with the server afterwards. */
export async function fuzzServer(connections: number, seed: number): Promise<string[]> {
  const folder = testFolder();
  const running = await startCosigner({ folder });
  const surprises: string[] = [];
  const surprised = (e: unknown) => surprises.push(`unhandled: ${e}`);
  process.on('unhandledRejection', surprised);
  try {
    const honest = await newDevice(running);
    for (let index = 0; index < connections; index++) {
      await within(`connection ${index}`, attack(running, new Rng(seed, 0x5e4, index)));
      if (index % 25 === 0) await pay(honest.client, honest.device, 1000n);
    }
    await pay(honest.client, honest.device, 1000n);
    const later = await newDevice(running);
    await pay(later.client, later.device, 1000n);
    await Promise.all([honest.client.close(), later.client.close()]);
    if (!(await isQuiet(running)))
      surprises.push(`${running.listener.load.connections} connections never ended`);
    surprises.push(...running.logLines.filter((line) => line.includes('unexpected error')));
  } catch (e) {
    surprises.push(`not served: ${e instanceof Error ? e.stack : e}`);
  } finally {
    process.off('unhandledRejection', surprised);
    await within('the server to stop', running.stop(), 40_000).catch((e) =>
      surprises.push(`not stopped: ${e}`),
    );
    removeFolder(folder);
  }
  return surprises;
}

/** Whether the server has let go of everybody who is gone. */
async function isQuiet({ listener }: Running): Promise<boolean> {
  for (let tries = 200; tries > 0 && listener.load.connections > 0; tries--)
    await new Promise((resolve) => setTimeout(resolve, 50));
  return listener.load.connections === 0;
}

async function attack(running: Running, rng: Rng): Promise<void> {
  const address = addressOf(running);
  if (rng.one(2)) {
    const socket = await RawSocket.open(address.port);
    const local = await generateNoiseKeyPair();
    const { message } = await initiate({ local, remote: address.noiseKey, prologue: PROLOGUE });
    const first = rng.pick([rng.bytes(96), mutate(message, rng), message, rng.bytes(rng.length(70_000))]);
    if (rng.one(6)) socket.ws.send('text');
    socket.ws.send(first);
    for (let n = rng.below(4); n > 0; n--) socket.ws.send(rng.bytes(rng.length(70_000)));
    if (rng.one(3)) socket.ws.terminate();
    else await socket.close();
    return;
  }
  const client = await Client.shake(address, await generateNoiseKeyPair());
  if (!rng.one(3)) await client.hello();
  for (let n = 1 + rng.below(4); n > 0; n--) {
    const asked = encode<unknown>(request as never, valueFor(request.shape, rng));
    const message = rng.one(3) ? asked : mutate(asked, rng);
    if (rng.one(4))
      await client.sendPlain(
        rng.one(2)
          ? rng.bytes(rng.below(300))
          : mutate(encode(envelope, { number: 1, part: 0, total: 9, chunk: rng.bytes(9) }), rng),
      );
    else if (message.length > 0) await client.send(message);
    if (rng.one(5)) client.socket.ws.send(rng.bytes(rng.below(400)));
  }
  if (rng.one(3)) client.socket.ws.terminate();
  else await client.close();
}

/**
 * A wallet at a real cosigner whose time the test moves, its device, and somebody's new browser that has no wallet. One for each
 * test of the file that calls `eachInItsOwnWorld`; what is exported here is that of the test that runs.
 */
import { afterEach, beforeEach } from 'vitest';
import { lookAtAll } from '../../src/cosigner/ceremonies.ts';
import type { Clock } from '../../src/cosigner/clock.ts';
import type { Limits } from '../../src/cosigner/limits.ts';
import { STEP_MAX_MS } from '../../src/policy/ceremony.ts';
import type { Policy } from '../../src/policy/document.ts';
import { generateNoiseKeyPair } from '../../src/protocol/noise.ts';
import {
  addressOf,
  attemptOf,
  Client,
  newDevice,
  payment,
  policyOf,
  type Running,
  removeFolder,
  START,
  signRequest,
  startCosigner,
  type TestDevice,
  testFolder,
} from './cosigner.ts';

export let folder: string;
export let running: Running;
export let device: TestDevice;
export let client: Client;
export let stranger: Client;
/** The cosigner's, in milliseconds. */
export const time = { now: START };
const clock: Clock = { now: () => time.now, monotonic: () => performance.now() };

export function eachInItsOwnWorld(): void {
  beforeEach(() => {
    time.now = START;
    folder = testFolder();
  });
  afterEach(async () => {
    await running.stop();
    removeFolder(folder);
  });
}

/** The cosigner alone. */
export async function start(limits: Partial<Limits> = {}): Promise<void> {
  running = await startCosigner({ folder, clock, limits });
}

export async function meetStranger(): Promise<void> {
  stranger = await Client.connect(addressOf(running), await generateNoiseKeyPair());
}

export async function born(policy: Partial<Policy> = {}, limits: Partial<Limits> = {}): Promise<void> {
  await start(limits);
  ({ device, client } = await newDevice(running, policyOf(policy)));
  await meetStranger();
}

export async function restart(): Promise<void> {
  await running.stop();
  await start();
  client = await Client.connect(addressOf(running), device.noise);
  await meetStranger();
}

/** Time goes by while the cosigner runs and looks. */
export async function pass(ms: number): Promise<void> {
  const until = time.now + ms;
  while (time.now < until) {
    time.now = Math.min(until, time.now + STEP_MAX_MS);
    await lookAtAll(running.cosigner);
  }
}

export const listed = async () => (await client.ask({ kind: 'ceremonies' }, 'ceremonies')).ceremonies;
export const statusOf = async (id: Uint8Array<ArrayBuffer>) =>
  (await stranger.ask({ kind: 'ceremony', id }, 'ceremony')).ceremony;
export const ask = async <K extends 'signed' | 'refused'>(kind: K, amount = 1000n) => {
  const { body } = await attemptOf(client, device, payment(device, { amount }));
  return client.ask(await signRequest(client, device, body), kind);
};

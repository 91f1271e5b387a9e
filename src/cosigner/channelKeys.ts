/**
 * The Noise statics of this cosigner, a file each in the data folder: `noise.key` is number 0, `noise-N.key` the Nth after it.
 * Every one that is there is answered. Which one devices are told to pin is a number in the store, which all instances share.
 *
 *   rotate    the file of the next key: answered by whoever starts with it, told to nobody, copied to every instance
 *   announce  the store's number rises to it: with the next greeting devices hear of it, and links name it
 *   retire    the files before go: a device that never heard of another key is not answered any more
 *
 * Each is one durable change, so a crash leaves what was before or what comes after, and each may be repeated.
 */
import type { KeyObject } from 'node:crypto';
import { readdir, unlink } from 'node:fs/promises';
import { join } from 'node:path';
import type { Random } from '../crypto/random.ts';
import { ensure } from '../protocol/errors.ts';
import type { NoiseKeyPair } from '../protocol/noise.ts';
import { openKeyFile, syncFolder } from './keyFile.ts';
import { noiseKeyPair } from './noisePrimitives.ts';

export interface ChannelKey {
  readonly number: number;
  readonly noise: NoiseKeyPair<KeyObject>;
}

/** Each costs every handshake that fits none a Diffie-Hellman. */
const KEYS_MOST = 4;
const NAME = /^noise(?:-([1-9][0-9]{0,8}))?\.key$/;

export function channelKeyFile(number: number): string {
  return number === 0 ? 'noise.key' : `noise-${number}.key`;
}

/** In rising order; none where there is no folder. */
export async function channelKeyNumbers(folder: string): Promise<number[]> {
  const names = await readdir(folder).catch((e: NodeJS.ErrnoException) => {
    if (e.code === 'ENOENT') return [];
    throw e;
  });
  const numbers = names.flatMap((name) => {
    const match = NAME.exec(name);
    return match === null ? [] : [Number(match[1] ?? 0)];
  });
  return numbers.sort((a, b) => a - b);
}

/** All of them; the first is made if there is none and `mayCreate`. `BadConfiguration` if there is none. */
export async function openChannelKeys(
  folder: string,
  mayCreate: boolean,
  random: Random,
): Promise<ChannelKey[]> {
  const found = await channelKeyNumbers(folder);
  const keys: ChannelKey[] = [];
  for (const number of found.length === 0 ? [0] : found) {
    const isFirst = found.length === 0;
    const secret = await openKeyFile(join(folder, channelKeyFile(number)), mayCreate && isFirst, random);
    try {
      keys.push({ number, noise: noiseKeyPair(secret) });
    } finally {
      secret.wipe();
    }
  }
  return keys;
}

/**
 * The number of the key after the announced one, which is durable when this resolves: the same again until it is announced.
 * `BadConfiguration` while too many are answered.
 */
export async function rotateChannelKey(folder: string, announced: number, random: Random): Promise<number> {
  const numbers = await channelKeyNumbers(folder);
  const next = announced + 1;
  const full = numbers.length >= KEYS_MOST && !numbers.includes(next);
  ensure(!full, 'BadConfiguration', { detail: 'data: retire the channel keys of before first' });
  (await openKeyFile(join(folder, channelKeyFile(next)), true, random)).wipe();
  return next;
}

/** Answers the numbers that are gone: all before the announced one, whose file must be here. */
export async function retireChannelKeys(folder: string, announced: number): Promise<number[]> {
  const numbers = await channelKeyNumbers(folder);
  ensure(numbers.includes(announced), 'BadConfiguration', {
    detail: `data: ${channelKeyFile(announced)} is missing`,
  });
  const old = numbers.filter((number) => number < announced);
  for (const number of old) await unlink(join(folder, channelKeyFile(number)));
  await syncFolder(folder);
  return old;
}

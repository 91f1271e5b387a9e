import encodeQR from 'qr';
import decodeQR from 'qr/decode.js';
import { describe, expect, test } from 'vitest';
import { OFFLINE_MAX } from '../../src/protocol/limits.ts';
import type { OfflineMessage } from '../../src/protocol/offline.ts';
import { OfflineReader, offlineCodes, offlineText, readOffline } from '../../src/protocol/offlineText.ts';
import { seededRandom } from '../support/parties.ts';

const random = seededRandom('offline text');
const code = (c: string) => expect.objectContaining({ code: c });

/** A message of so many bytes and a few more. */
const messageOf = (size: number): OfflineMessage => ({
  kind: 'sign',
  body: random(size),
  signature: random(64),
});

/** What a camera sees of a screen that shows this text. */
function photographed(text: string): string {
  const rows = encodeQR(text, 'raw', { border: 4, ecc: 'low' });
  const scale = 4;
  const side = rows.length * scale;
  const data = new Uint8Array(side * side * 4).fill(255);
  for (let y = 0; y < side; y++)
    for (let x = 0; x < side; x++)
      if (rows[Math.floor(y / scale)]![Math.floor(x / scale)])
        data.fill(0, (y * side + x) * 4, (y * side + x) * 4 + 3);
  return decodeQR({ width: side, height: side, data });
}

describe('an offline message as text', () => {
  test('comes back from one text, however it was wrapped or cased on the way', () => {
    const message = messageOf(3000);
    const text = offlineText(message);
    expect(text).toMatch(/^HOARFROST:1\/1\/[A-Z2-7]{16}\/[A-Z2-7]+$/);
    expect(readOffline(text)).toEqual(message);
    expect(readOffline(`\n  ${text.replace(/.{70}/g, '$&\r\n').toLowerCase()}\n`)).toEqual(message);
  });

  test('comes back from QR codes read in any order, some of them twice', () => {
    const message = messageOf(1600);
    const codes = offlineCodes(message);
    expect(codes.length).toBe(4);
    const reader = new OfflineReader();
    const seen = [codes[2]!, codes[0]!, codes[2]!, codes[3]!].map((text) => reader.push(photographed(text)));
    expect(seen.map(({ have }) => have)).toEqual([1, 2, 2, 3]);
    expect(seen.every((progress) => progress.message === null && progress.parts === 4)).toBe(true);
    expect(reader.push(photographed(codes[1]!)).message).toEqual(message);
    expect(new OfflineReader().push(codes.join('\n')).message).toEqual(message);
  });

  test('a small message is one code, a very large one none', () => {
    expect(offlineCodes(messageOf(100))).toHaveLength(1);
    expect(offlineCodes(messageOf(200 * 440))).toEqual([]);
    expect(readOffline(offlineText(messageOf(1 << 20))).kind).toBe('sign');
  });

  test('parts of two messages are never mixed: the other one begins anew', () => {
    const [one, two] = [messageOf(1000), messageOf(1000)];
    const [a, b] = [offlineCodes(one), offlineCodes(two)];
    const reader = new OfflineReader();
    reader.push(a[0]!);
    reader.push(a[1]!);
    expect(reader.push(b[0]!).have).toBe(1);
    expect(reader.push(b[1]!).have).toBe(2);
    expect(reader.push(b[2]!).message).toEqual(two);
    // A part under the other's hash joins, and the whole is found out.
    const forged = b[2]!.replace(b[2]!.split('/')[2]!, a[0]!.split('/')[2]!);
    reader.push(a[0]!);
    reader.push(a[1]!);
    expect(() => reader.push(forged)).toThrow(code('BadEncoding'));
    // And nothing of it stays.
    expect(reader.push(a[2]!).have).toBe(1);
  });

  test('anything else is BadEncoding, and what is too large is refused before it is decoded', () => {
    const text = offlineText(messageOf(10));
    const [head, , hash, data] = text.split('/') as [string, string, string, string];
    for (const bad of [
      '',
      'https://example.com',
      'HOARFROST:',
      `x${text}`,
      `${text}1`,
      `HOARFROST:2/1/${hash}/${data}`,
      `HOARFROST:0/1/${hash}/${data}`,
      `HOARFROST:01/1/${hash}/${data}`,
      `${head}/1/AAAAAAAAAAAAAAAA/${data}`,
      `${head}/1/${hash}/${data}A`,
      `${head}/1/${hash}/`,
    ])
      expect(() => new OfflineReader().push(bad), bad).toThrow(code('BadEncoding'));
    expect(() => readOffline(offlineCodes(messageOf(1000))[0]!)).toThrow(code('BadEncoding'));
    const parts = `HOARFROST:1/99999/${hash}/${data}`;
    expect(() => new OfflineReader().push(parts)).toThrow(code('TooLarge'));
    expect(() => new OfflineReader().push(`HOARFROST:1/2/${hash}/${'A'.repeat(1000)}`)).toThrow(
      code('TooLarge'),
    );
    expect(() => new OfflineReader().push('A'.repeat(2 * OFFLINE_MAX + 1))).toThrow(code('TooLarge'));
    expect(() => offlineText(messageOf(OFFLINE_MAX))).toThrow(code('TooLarge'));
  });
});

/** The pairing link on the cosigner's terminal, read back as a camera reads it. */
import decodeQR from 'qr/decode.js';
import { expect, test } from 'vitest';
import { terminalCode } from '../../src/cosigner/terminalCode.ts';

const link = `hoarfrost:cosigner.example:4433?k=${'ab'.repeat(32)}&h=${'cd'.repeat(32)}&t=${'Az09_-'.repeat(5)}&n=mutinynet`;

test('a whole link fits a terminal, and is read off it', () => {
  const lines = terminalCode(link)
    .split('\n')
    // biome-ignore lint/suspicious/noControlCharactersInRegex: what a terminal takes for colours
    .map((line) => line.replace(/^\x1b\[38;5;16;48;5;231m/, '').replace(/\x1b\[0m$/, ''));
  expect(lines.length).toBeLessThan(40);
  expect(Math.max(...lines.map((line) => line.length))).toBeLessThan(80);

  const scale = 4;
  const [width, height] = [lines[0]!.length * scale, 2 * lines.length * scale];
  const data = new Uint8ClampedArray(4 * width * height);
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      const sign = lines[Math.floor(y / scale / 2)]![Math.floor(x / scale)]!;
      const lower = Math.floor(y / scale) % 2 === 1;
      const dark = sign === '█' || sign === (lower ? '▄' : '▀');
      data.fill(dark ? 0 : 255, 4 * (y * width + x), 4 * (y * width + x) + 3);
      data[4 * (y * width + x) + 3] = 255;
    }
  }
  expect(decodeQR({ width, height, data })).toBe(link);
});

/** What stands before Chromium's camera: a film of another screen. */
import encodeQR from 'qr';

/** What a camera sees of a screen on which these codes take turns, a quarter of a second each: raw video, YUV 4:2:0. */
export function filmOf(codes: readonly string[]): Buffer {
  const [width, height, scale] = [640, 480, 5];
  const frames = codes.flatMap((text) => {
    const rows = encodeQR(text, 'raw', { border: 4, ecc: 'low' });
    const luma = Buffer.alloc(width * height, 235);
    for (const [y, row] of rows.entries())
      for (const [x, dark] of row.entries())
        if (dark)
          for (let k = 0; k < scale; k++)
            luma.fill(16, (y * scale + k) * width + x * scale, (y * scale + k) * width + (x + 1) * scale);
    const frame = [Buffer.from('FRAME\n'), luma, Buffer.alloc((width * height) / 2, 128)];
    return [...frame, ...frame, ...frame];
  });
  return Buffer.concat([Buffer.from(`YUV4MPEG2 W${width} H${height} F12:1 Ip A1:1 C420\n`), ...frames]);
}

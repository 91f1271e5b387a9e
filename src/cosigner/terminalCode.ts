/** A QR code for a terminal of any colours, two rows of it in one line of text, to be held before a browser's camera. */
import encodeQR from 'qr';

/** Black on white whatever the terminal is, so that no reader has to take it inverted. */
const [ON, OFF] = ['\x1b[38;5;16;48;5;231m', '\x1b[0m'];

export function terminalCode(text: string): string {
  const rows = encodeQR(text, 'raw', { border: 2, ecc: 'low' });
  const lines: string[] = [];
  for (let y = 0; y < rows.length; y += 2) {
    const line = rows[y]!.map((upper, x) => {
      const lower = rows[y + 1]?.[x] ?? false;
      return upper ? (lower ? '█' : '▀') : lower ? '▄' : ' ';
    });
    lines.push(`${ON}${line.join('')}${OFF}`);
  }
  return lines.join('\n');
}

/** A QR code as one path, dark on white in both themes: scanners want it so. */

import { useMemo } from 'preact/hooks';
import encodeQR from 'qr';

/** Modules of white around it (ISO/IEC 18004). */
const QUIET_ZONE = 4;

/** `dense`: with less room for damage, for much text on a clean screen. */
export function Qr({ text, label, dense = false }: { text: string; label: string; dense?: boolean }) {
  const { size, path } = useMemo(() => drawing(text, dense), [text, dense]);
  return (
    <svg
      class="qr"
      viewBox={`0 0 ${size} ${size}`}
      role="img"
      aria-label={label}
      shape-rendering="crispEdges"
    >
      <path d={path} />
    </svg>
  );
}

function drawing(text: string, dense: boolean): { size: number; path: string } {
  const rows = encodeQR(text, 'raw', { border: QUIET_ZONE, ecc: dense ? 'low' : 'medium' });
  const runs: string[] = [];
  for (const [y, row] of rows.entries()) {
    for (let x = 0; x < row.length; x++) {
      if (!row[x]) continue;
      const from = x;
      while (row[x + 1]) x++;
      runs.push(`M${from} ${y}h${x - from + 1}v1h-${x - from + 1}z`);
    }
  }
  return { size: rows.length, path: runs.join('') };
}

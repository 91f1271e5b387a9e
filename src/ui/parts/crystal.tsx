/** A six-armed figure grown from a digest. It helps the eye; nobody is asked to rely on it. */
import { useMemo } from 'preact/hooks';

/** `hex` is a digest or key of at least 16 bytes. */
export function Crystal({ hex }: { hex: string }) {
  const { arms, core } = useMemo(() => grow(hex), [hex]);
  return (
    <svg class="crystal" viewBox="-24 -24 48 48" aria-hidden="true">
      <path d={arms} />
      <path d={core} />
    </svg>
  );
}

const INNER = 3.4;
const OUTER = 21;

function grow(hex: string): { arms: string; core: string } {
  const byte = (i: number) => Number.parseInt(hex.slice(2 * i, 2 * i + 2), 16) / 255;
  // Four pairs of twigs on each arm, 60 degrees off it: how far out and how long is the digest's.
  const twigs = [0, 1, 2, 3].map((i) => ({
    at: 6 + i * 3.2 + byte(i) * 2,
    length: 3 + byte(i + 4) * (9 - 1.5 * i),
  }));
  const arms: string[] = [];
  const coreAt = 3.6 + byte(8) * 2.6;
  const corners: string[] = [];
  for (let arm = 0; arm < 6; arm++) {
    const angle = (arm * Math.PI) / 3 - Math.PI / 2;
    arms.push(`M${point(INNER, angle)}L${point(OUTER, angle)}`);
    for (const { at, length } of twigs) {
      for (const side of [-1, 1]) {
        const [x, y] = [at * Math.cos(angle), at * Math.sin(angle)];
        const away = angle + (side * Math.PI) / 3;
        arms.push(
          `M${point(at, angle)}L${fixed(x + length * Math.cos(away))} ${fixed(y + length * Math.sin(away))}`,
        );
      }
    }
    corners.push(point(coreAt, angle + Math.PI / 6));
  }
  return { arms: arms.join(''), core: `M${corners.join('L')}z` };
}

function point(radius: number, angle: number): string {
  return `${fixed(radius * Math.cos(angle))} ${fixed(radius * Math.sin(angle))}`;
}

function fixed(n: number): string {
  return n.toFixed(1);
}

/** The mark is logo and instrument: three kites that draw the live state of the three shares. */
import type { ShardState, ThreeShares } from '../../device/port.ts';

const KITES = [
  {
    party: 'device',
    edge: 'M22.5 17.3L13.8 22.4L4.5 7L22.5 7.3z',
    a: 'M22.5 17.3L22.5 7.3L4.5 7z',
    b: 'M22.5 17.3L13.8 22.4L4.5 7z',
  },
  {
    party: 'cosigner',
    edge: 'M25.5 17.3L25.5 7.3L43.5 7L34.2 22.4z',
    a: 'M25.5 17.3L25.5 7.3L43.5 7z',
    b: 'M25.5 17.3L34.2 22.4L43.5 7z',
  },
  {
    party: 'recovery',
    edge: 'M24 19.9L32.7 24.9L24 40.7L15.3 24.9z',
    a: 'M24 19.9L32.7 24.9L24 40.7z',
    b: 'M24 19.9L15.3 24.9L24 40.7z',
  },
] as const;

export type MarkSize = 'sm' | 'lg' | 'xl';

/** Decorative unless `label` says what it shows. */
export function Mark({
  shares,
  size = 'sm',
  label,
}: {
  shares: ThreeShares;
  size?: MarkSize;
  label?: string;
}) {
  return (
    // biome-ignore lint/a11y/noSvgWithoutTitle: hidden unless it is labelled
    <svg
      class={size === 'sm' ? 'mark' : `mark mark--${size}`}
      viewBox="4 4 40 40"
      {...(label === undefined ? { 'aria-hidden': 'true' } : { role: 'img', 'aria-label': label })}
    >
      {KITES.map((kite) => (
        <g class={`shard shard--${kite.party}`} data-state={shares[kite.party]} key={kite.party}>
          <path class="shard__edge" d={kite.edge} />
          <path class="shard__a" d={kite.a} />
          <path class="shard__b" d={kite.b} />
        </g>
      ))}
    </svg>
  );
}

/** One share on its own. */
export function Shardlet({ state }: { state: ShardState }) {
  return (
    <svg class="shardlet" viewBox="0 0 16 26" aria-hidden="true">
      <g class="shard" data-state={state}>
        <path class="shard__edge" d="M8 1L14.4 9.6L8 25L1.6 9.6z" />
        <path class="shard__a" d="M8 1L1.6 9.6L8 25z" />
        <path class="shard__b" d="M8 1L14.4 9.6L8 25z" />
      </g>
    </svg>
  );
}

export const NO_SHARES: ThreeShares = { device: 'none', cosigner: 'none', recovery: 'none' };
/** What the mark shows where no wallet is meant: the logo. */
export const LOGO: ThreeShares = { device: 'lit', cosigner: 'lit', recovery: 'rest' };

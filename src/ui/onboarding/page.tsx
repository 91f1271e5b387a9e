/** The frame of an onboarding step: where you are on the left, what to do on the right. */
import type { ComponentChildren } from 'preact';
import type { ThreeShares } from '../../device/port.ts';
import { Heading } from '../parts/frame.tsx';
import { Icon } from '../parts/icon.tsx';
import { LOGO, Mark } from '../parts/mark.tsx';

export const TRAIL = [
  'Network and cosigner',
  'Password and limit',
  'Recovery words',
  'Type them back',
  'Three shares form',
];

export function Page({
  step,
  shares,
  note,
  title,
  lede,
  children,
  foot,
}: {
  /** Position in the trail, from 0; its length when all is done. */
  step: number;
  shares: ThreeShares;
  note: string;
  title: string;
  lede?: string;
  children: ComponentChildren;
  foot: ComponentChildren;
}) {
  return (
    <div class="page">
      <aside class="page__aside" aria-label="Steps">
        <div class="page__brand">
          <Mark shares={shares} /> Hoarfrost
        </div>
        <ol class="trail">
          {TRAIL.map((name, i) => (
            <li
              key={name}
              data-state={i < step ? 'done' : undefined}
              aria-current={i === step ? 'step' : undefined}
            >
              <span class="step__dot">{i < step ? <Icon name="check" /> : i + 1}</span>
              {name}
            </li>
          ))}
        </ol>
        <p class="caption push">{note}</p>
      </aside>
      <main class="page__main">
        <div class="stack stack--2">
          <Heading class="display">{title}</Heading>
          {lede !== undefined && <p class="lede">{lede}</p>}
        </div>
        {children}
        <div class="page__foot">{foot}</div>
      </main>
    </div>
  );
}

/** A page with nothing to fill in: the first, and those that say that it goes on elsewhere. */
export function HeroPage({
  title,
  lede,
  caption,
  children,
}: {
  title: string;
  lede: string;
  caption?: string;
  children?: ComponentChildren;
}) {
  return (
    <div class="page page--hero">
      <div class="page__aside">
        <svg class="hero" viewBox="-172 -172 344 344" aria-hidden="true">
          {(['device', 'cosigner', 'recovery'] as const).map((party) => (
            <use
              key={party}
              class={`hero__sector hero__sector--${party}`}
              href={`/frost.svg#hero-${party}`}
            />
          ))}
        </svg>
        <div class="page__brand">
          <Mark shares={LOGO} /> Hoarfrost
        </div>
        <p class="caption push measure">
          Two lit, one at rest. This mark shows your three shares wherever your key is in use.
        </p>
      </div>
      <main class="page__main">
        <div class="stack">
          <Heading class="display">{title}</Heading>
          <p class="lede">{lede}</p>
        </div>
        {children}
        {caption !== undefined && <p class="caption">{caption}</p>}
      </main>
    </div>
  );
}

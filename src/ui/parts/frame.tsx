/** What frames a popup screen: top bar, heading, navigation. */
import type { ComponentChildren } from 'preact';
import { useLayoutEffect, useRef } from 'preact/hooks';
import type { ThreeShares } from '../../device/port.ts';
import type { Network } from '../../protocol/networks.ts';
import { NETWORK_NAMES } from '../networkNames.ts';
import { Icon, type IconName } from './icon.tsx';
import { Mark } from './mark.tsx';

export function NetworkBadge({ network }: { network: Network }) {
  return (
    <span class="badge network" data-network={network === 'mainnet' ? 'bitcoin' : 'signet'}>
      {NETWORK_NAMES[network]}
    </span>
  );
}

/**
 * A heading that takes the focus when its screen appears: a reader hears where it is, and no button is under the thumb. In
 * the same step (`useLayoutEffect`): an effect after the picture would lose the key of somebody quick.
 */
export function Heading({ class: name, children }: { class: string; children: ComponentChildren }) {
  const heading = useRef<HTMLHeadingElement>(null);
  useLayoutEffect(() => heading.current?.focus({ preventScroll: true }), []);
  return (
    <h1 class={name} tabIndex={-1} ref={heading}>
      {children}
    </h1>
  );
}

/** Top bar of a screen one step in. Escape goes back as the arrow does. */
export function SubBar({
  title,
  onBack,
  children,
}: {
  title: string;
  onBack: () => void;
  children?: ComponentChildren;
}) {
  useEscape(onBack);
  return (
    <div class="topbar topbar--sub">
      <button type="button" class="icon-btn" aria-label="Back" onClick={onBack}>
        <Icon name="back" />
      </button>
      <Heading class="title">{title}</Heading>
      {children}
    </div>
  );
}

/**
 * Top bar of a main screen: the mark shows the live state of the shares. Its heading takes the focus only where the screen
 * before took it along; who came by the navigation stays on it.
 */
export function MainBar({
  shares,
  title,
  children,
}: {
  shares: ThreeShares;
  title: string;
  children?: ComponentChildren;
}) {
  const heading = useRef<HTMLHeadingElement>(null);
  useLayoutEffect(() => {
    if (document.activeElement === document.body) heading.current?.focus({ preventScroll: true });
  }, []);
  return (
    <div class="topbar">
      <Mark shares={shares} />
      <h1 class="topbar__name" tabIndex={-1} ref={heading}>
        {title}
      </h1>
      {children}
    </div>
  );
}

export function useEscape(onEscape: () => void): void {
  const latest = useRef(onEscape);
  latest.current = onEscape;
  useLayoutEffect(() => {
    const listen = (event: KeyboardEvent) => {
      if (event.key !== 'Escape' || event.defaultPrevented) return;
      // In a popup Escape would close the window as well.
      event.preventDefault();
      latest.current();
    };
    addEventListener('keydown', listen);
    return () => removeEventListener('keydown', listen);
  }, []);
}

export type MainPlace = 'home' | 'activity' | 'settings';

/** Safety is a tab of its own. */
const PLACES: { at: MainPlace | 'safety'; icon: IconName; name: string }[] = [
  { at: 'home', icon: 'wallet', name: 'Wallet' },
  { at: 'activity', icon: 'list', name: 'Activity' },
  { at: 'safety', icon: 'safety', name: 'Safety' },
  { at: 'settings', icon: 'gear', name: 'Settings' },
];

export function Nav({ at, onGo }: { at: MainPlace; onGo: (place: MainPlace | 'safety') => void }) {
  return (
    <nav class="nav" aria-label="Main">
      {PLACES.map((place) => (
        <button
          type="button"
          class="nav__item"
          key={place.at}
          onClick={() => onGo(place.at)}
          {...(place.at === at ? { 'aria-current': 'page' } : {})}
        >
          <Icon name={place.icon} />
          <span>{place.name}</span>
        </button>
      ))}
    </nav>
  );
}

/** Frost in the corner of quiet screens. */
export function Rime() {
  return (
    <svg class="rime" viewBox="0 0 360 150" preserveAspectRatio="xMaxYMin slice" aria-hidden="true">
      <use href="/frost.svg#rime" />
    </svg>
  );
}

/** Rows of the safety centre: what it is, what it says, and what may be pressed. */
import type { ComponentChildren } from 'preact';
import { Icon, type IconName } from '../parts/icon.tsx';

type Tone = 'accent' | 'paper' | 'danger' | 'caution';

export function Row({
  icon,
  tone,
  title,
  sub,
  children,
}: {
  icon: IconName;
  tone?: Tone;
  title: string;
  sub: string;
  children?: ComponentChildren;
}) {
  return (
    <div class="row">
      <RowWords {...{ icon, title, sub }} {...(tone === undefined ? {} : { tone })} />
      {children}
    </div>
  );
}

function RowWords({ icon, tone, title, sub }: { icon: IconName; tone?: Tone; title: string; sub: string }) {
  return (
    <>
      <span class={tone === undefined ? 'row__icon' : `row__icon row__icon--${tone}`}>
        <Icon name={icon} />
      </span>
      <span class="row__main">
        <span class="row__title">{title}</span>
        <span class="row__sub">{sub}</span>
      </span>
    </>
  );
}

export function LinkRow({
  icon,
  title,
  sub,
  href,
}: {
  icon: IconName;
  title: string;
  sub: string;
  href: string;
}) {
  return (
    <a class="row" href={href}>
      <RowWords {...{ icon, title, sub }} />
      <span class="row__chev">
        <Icon name="next" />
      </span>
    </a>
  );
}

export function PressRow({
  icon,
  title,
  sub,
  onPress,
}: {
  icon: IconName;
  title: string;
  sub: string;
  onPress: () => void;
}) {
  return (
    <button type="button" class="row" onClick={onPress}>
      <RowWords {...{ icon, title, sub }} />
      <span class="row__chev">
        <Icon name="next" />
      </span>
    </button>
  );
}

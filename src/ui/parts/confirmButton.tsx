/**
 * The button that moves money: armed 500 ms after focus, then held 600 ms. With a screen reader (whose press is a click
 * without pointer or key) or under reduced motion, two presses within 5 s do the same.
 */
import type { ComponentChildren, RefObject } from 'preact';
import { useEffect, useLayoutEffect, useMemo, useRef, useState } from 'preact/hooks';
import { ArmedPress, type PressState } from '../arming.ts';

const MOVED_MS = 250;

export function ConfirmButton({
  allowed,
  content,
  end,
  onConfirm,
  hold,
  twice,
  again,
  unread,
}: {
  allowed: boolean;
  /** Changes whenever what is asked changes. */
  content: string;
  /** What stands last in the request: it must have been on screen. */
  end: RefObject<HTMLElement | null>;
  onConfirm: () => void;
  /** What the button says: to be held, to be pressed twice, to be pressed again, while the end was not on screen. */
  hold: ComponentChildren;
  twice: ComponentChildren;
  again: ComponentChildren;
  unread: ComponentChildren;
}) {
  const confirm = useRef(onConfirm);
  confirm.current = onConfirm;
  const [state, setState] = useState<PressState>('off');
  const [endSeen, setEndSeen] = useState(false);
  const press = useMemo(() => new ArmedPress(setState, () => confirm.current()), []);
  const reduced = useReducedMotion();

  useEffect(() => () => press.stop(), [press]);
  // With the change itself, not after its picture: a hold that ends in between would confirm what nobody read.
  useLayoutEffect(() => press.allow(allowed), [press, allowed]);
  useWindowFocus(press);
  useLayoutEffect(() => {
    press.disturb(true);
    setEndSeen(false);
    if (end.current === null) return;
    const seen = new IntersectionObserver((entries) => {
      if (!entries.some((entry) => entry.isIntersecting)) return;
      press.seeEnd();
      setEndSeen(true);
    });
    seen.observe(end.current);
    return () => seen.disconnect();
  }, [press, content, end]);

  const armed = state !== 'off' && state !== 'arming';
  const label = allowed && !endSeen ? unread : state === 'pressedOnce' ? again : reduced ? twice : hold;
  return (
    <button
      type="button"
      class="btn btn--primary"
      aria-disabled={!armed || state === 'done'}
      data-armed={armed ? 'true' : state === 'arming' ? 'false' : undefined}
      data-holding={state === 'holding'}
      onPointerDown={(event) => event.button === 0 && press.holdStart()}
      onPointerUp={() => press.holdEnd(reduced)}
      onPointerLeave={() => press.holdEnd(false)}
      onPointerCancel={() => press.holdEnd(false)}
      onContextMenu={(event) => event.preventDefault()}
      onBlur={() => press.holdEnd(false)}
      onKeyDown={(event) => {
        if (event.key !== ' ' && event.key !== 'Enter') return;
        event.preventDefault();
        if (!event.repeat) press.holdStart();
      }}
      onKeyUp={(event) => {
        if (event.key !== ' ' && event.key !== 'Enter') return;
        event.preventDefault();
        press.holdEnd(reduced);
      }}
      onClick={(event) => {
        // Neither pointer nor key made it: those count clicks from one, or are prevented above.
        if (event.detail === 0) press.press();
      }}
    >
      <span>{label}</span>
    </button>
  );
}

/** A regained focus or a moved window starts the 500 ms again. */
function useWindowFocus(press: ArmedPress): void {
  useEffect(() => {
    const focus = () => press.focus(true);
    const blur = () => press.focus(false);
    const disturb = () => press.disturb();
    const visible = () => press.focus(document.visibilityState === 'visible');
    let [x, y] = [screenX, screenY];
    const moved = setInterval(() => {
      if (x === screenX && y === screenY) return;
      [x, y] = [screenX, screenY];
      press.disturb();
    }, MOVED_MS);
    addEventListener('focus', focus);
    addEventListener('blur', blur);
    addEventListener('resize', disturb);
    document.addEventListener('visibilitychange', visible);
    return () => {
      clearInterval(moved);
      removeEventListener('focus', focus);
      removeEventListener('blur', blur);
      removeEventListener('resize', disturb);
      document.removeEventListener('visibilitychange', visible);
    };
  }, [press]);
}

function useReducedMotion(): boolean {
  const query = useMemo(() => matchMedia('(prefers-reduced-motion: reduce)'), []);
  const [reduced, setReduced] = useState(query.matches);
  useEffect(() => {
    const change = () => setReduced(query.matches);
    query.addEventListener('change', change);
    return () => query.removeEventListener('change', change);
  }, [query]);
  return reduced;
}

import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { ARM_MS, ArmedPress, HOLD_MS, TWO_PRESSES_MS } from '../../src/ui/arming.ts';

describe('the press that moves money', () => {
  beforeEach(() => void vi.useFakeTimers());
  afterEach(() => void vi.useRealTimers());

  function ready() {
    const confirm = vi.fn();
    const press = new ArmedPress(() => undefined, confirm);
    press.allow(true);
    press.seeEnd();
    return { press, confirm };
  }
  function armed() {
    const made = ready();
    vi.advanceTimersByTime(ARM_MS);
    expect(made.press.state).toBe('armed');
    return made;
  }

  it('ignores every press for 500 ms', () => {
    const { press, confirm } = ready();
    vi.advanceTimersByTime(ARM_MS - 1);
    press.press();
    press.press();
    press.holdStart();
    expect(press.state).toBe('arming');
    vi.advanceTimersByTime(1);
    expect(press.state).toBe('armed');
    vi.advanceTimersByTime(HOLD_MS);
    expect(confirm).not.toHaveBeenCalled();
  });

  it('is off until it is allowed, focused, and its end was on screen', () => {
    const press = new ArmedPress(() => undefined, vi.fn(), false);
    const later = () => {
      vi.advanceTimersByTime(ARM_MS);
      return press.state;
    };
    expect(later()).toBe('off');
    press.allow(true);
    expect(later()).toBe('off');
    press.focus(true);
    expect(later()).toBe('off');
    press.seeEnd();
    expect(later()).toBe('armed');
  });

  it.each<[string, (press: ArmedPress) => void]>([
    ['regained focus', (press) => press.focus(true)],
    ['a moved window', (press) => press.disturb()],
  ])('starts the 500 ms again after %s', (_, happen) => {
    const { press } = armed();
    happen(press);
    expect(press.state).toBe('arming');
    vi.advanceTimersByTime(ARM_MS - 1);
    expect(press.state).toBe('arming');
    vi.advanceTimersByTime(1);
    expect(press.state).toBe('armed');
  });

  it('asks for the end of changed content again', () => {
    const { press } = armed();
    press.disturb(true);
    vi.advanceTimersByTime(ARM_MS);
    expect(press.state).toBe('off');
    press.seeEnd();
    vi.advanceTimersByTime(ARM_MS);
    expect(press.state).toBe('armed');
  });

  it('confirms a hold of 600 ms, once', () => {
    const { press, confirm } = armed();
    press.holdStart();
    vi.advanceTimersByTime(HOLD_MS - 1);
    expect(confirm).not.toHaveBeenCalled();
    vi.advanceTimersByTime(1);
    expect(confirm).toHaveBeenCalledOnce();
    press.holdEnd(true);
    press.press();
    press.holdStart();
    press.focus(true);
    vi.advanceTimersByTime(10_000);
    expect(confirm).toHaveBeenCalledOnce();
  });

  it('forgets a hold that ends early, or is cut by lost focus', () => {
    const { press, confirm } = armed();
    press.holdStart();
    vi.advanceTimersByTime(HOLD_MS - 1);
    press.holdEnd(false);
    expect(press.state).toBe('armed');
    press.holdStart();
    press.focus(false);
    vi.advanceTimersByTime(HOLD_MS);
    expect(press.state).toBe('off');
    expect(confirm).not.toHaveBeenCalled();
  });

  it('does not count short presses unless motion is reduced', () => {
    const { press, confirm } = armed();
    for (let i = 0; i < 3; i++) {
      press.holdStart();
      press.holdEnd(false);
    }
    expect(confirm).not.toHaveBeenCalled();
    press.holdStart();
    press.holdEnd(true);
    expect(press.state).toBe('pressedOnce');
    press.holdStart();
    press.holdEnd(true);
    expect(confirm).toHaveBeenCalledOnce();
  });

  it('takes two presses of a screen reader within 5 s', () => {
    const { press, confirm } = armed();
    press.press();
    vi.advanceTimersByTime(TWO_PRESSES_MS);
    press.press();
    expect(confirm).not.toHaveBeenCalled();
    vi.advanceTimersByTime(TWO_PRESSES_MS - 1);
    press.press();
    expect(confirm).toHaveBeenCalledOnce();
  });

  it('is not confirmed by a press that came before a disturbance', () => {
    const { press, confirm } = armed();
    press.press();
    press.disturb();
    vi.advanceTimersByTime(ARM_MS);
    press.press();
    expect(confirm).not.toHaveBeenCalled();
  });
});

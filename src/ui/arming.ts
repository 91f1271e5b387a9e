/**
 * When a confirm button takes a press, and what a press is: the guard against a click that was meant for something
 * else. No DOM in here; `parts/confirmButton.tsx` feeds it.
 */

/** `--time-arm`: after focus, a moved window or changed content. */
export const ARM_MS = 500;
export const HOLD_MS = 600;
/** Two presses within this do what holding does. */
export const TWO_PRESSES_MS = 5000;

export type PressState =
  /** Presses do nothing: not allowed, not focused, the end not seen yet, or the 500 ms not over. */
  | 'off'
  /** The 500 ms are running. */
  | 'arming'
  | 'armed'
  | 'holding'
  /** One of two presses was made. */
  | 'pressedOnce'
  /** Confirmed. Nothing leads out of it. */
  | 'done';

export class ArmedPress {
  readonly #onState: (state: PressState) => void;
  readonly #onConfirm: () => void;
  #state: PressState = 'off';
  #timer: ReturnType<typeof setTimeout> | undefined;
  #allowed = false;
  #focused: boolean;
  #endSeen = false;
  /** Whether the press that is held is the second of two. */
  #second = false;

  constructor(onState: (state: PressState) => void, onConfirm: () => void, focused = true) {
    this.#onState = onState;
    this.#onConfirm = onConfirm;
    this.#focused = focused;
  }

  get state(): PressState {
    return this.#state;
  }

  /** Whether what is asked may be confirmed at all. */
  allow(allowed: boolean): void {
    if (this.#allowed === allowed) return;
    this.#allowed = allowed;
    this.disturb();
  }

  focus(focused: boolean): void {
    this.#focused = focused;
    this.disturb();
  }

  /** The end of what is asked has been on screen. Once is enough for the same content. */
  seeEnd(): void {
    if (this.#endSeen) return;
    this.#endSeen = true;
    this.disturb();
  }

  /** The window moved or the content changed: begin again. `content`: its end is to be seen again too. */
  disturb(content = false): void {
    if (this.#state === 'done') return;
    if (content) this.#endSeen = false;
    if (!this.#allowed || !this.#focused || !this.#endSeen) {
      this.#to('off');
      return;
    }
    this.#to('arming');
    this.#timer = setTimeout(() => this.#to('armed'), ARM_MS);
  }

  /** Pointer, Space or Enter went down. */
  holdStart(): void {
    if (this.#state !== 'armed' && this.#state !== 'pressedOnce') return;
    this.#second = this.#state === 'pressedOnce';
    this.#to('holding');
    this.#timer = setTimeout(() => this.#confirm(), HOLD_MS);
  }

  /** It went up. `counts`: under reduced motion a short press is one of two. */
  holdEnd(counts: boolean): void {
    if (this.#state !== 'holding') return;
    if (!counts) this.#to('armed');
    else if (this.#second) this.#confirm();
    else this.#firstPress();
  }

  /** A press without a hold, as a screen reader makes it: one of two. */
  press(): void {
    if (this.#state === 'armed') this.#firstPress();
    else if (this.#state === 'pressedOnce') this.#confirm();
  }

  stop(): void {
    clearTimeout(this.#timer);
  }

  #firstPress(): void {
    this.#to('pressedOnce');
    this.#timer = setTimeout(() => this.#to('armed'), TWO_PRESSES_MS);
  }

  #confirm(): void {
    this.#to('done');
    this.#onConfirm();
  }

  #to(state: PressState): void {
    clearTimeout(this.#timer);
    if (this.#state === state) return;
    this.#state = state;
    this.#onState(state);
  }
}

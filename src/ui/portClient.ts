/**
 * The page's end of the one port to the device. Every request has a number and a deadline; when the worker dies the
 * port is opened anew (which wakes it) and what may be asked twice is asked again. Nothing waits without an end.
 */
import type { PortEvent, PortMethod, PortMethods } from '../device/port.ts';
import { HoarfrostError } from '../protocol/errors.ts';
import { decodePortReply, encodePort, errorFromPort, type PortReply } from '../protocol/portCodec.ts';

/** As much of a browser port as is used here. Messages are strings. */
export interface BrowserPort {
  postMessage(message: string): void;
  disconnect(): void;
  onMessage(listener: (message: unknown) => void): void;
  onDisconnect(listener: () => void): void;
}

/** `waking`: the port is being opened again. `lost`: that has failed several times; trying goes on. */
export type LinkState = 'open' | 'waking' | 'lost';

/** The device as screens see it. */
export interface DeviceClient {
  call<M extends PortMethod>(
    method: M,
    argument: PortMethods[M][0],
    deadlineMs?: number,
  ): Promise<PortMethods[M][1]>;
  /** Both answer how to stop listening. */
  onEvent(listener: (event: PortEvent) => void): () => void;
  onLink(listener: (link: LinkState) => void): () => void;
  close(): void;
}

const SECOND = 1000;
/** Longer than what the device itself waits for, so that its own error, which says more, comes first. */
const DEADLINES: Record<PortMethod, number> = {
  state: 10 * SECOND,
  readPairing: 5 * SECOND,
  tryPairing: 30 * SECOND,
  keygenStart: 60 * SECOND,
  keygenRound1: 60 * SECOND,
  keygenRound2: 60 * SECOND,
  keygenCertify: 60 * SECOND,
  keygenResume: 60 * SECOND,
  keygenStop: 10 * SECOND,
  unlockWithSecurityKey: 30 * SECOND,
  changePassword: 30 * SECOND,
  setSecurityKey: 30 * SECOND,
  unlock: 30 * SECOND,
  lock: 10 * SECOND,
  receiveAddress: 30 * SECOND,
  refresh: 40 * SECOND,
  refreshShares: 120 * SECOND,
  fees: 40 * SECOND,
  draft: 40 * SECOND,
  evaluate: 12 * SECOND,
  press: 15 * SECOND,
  payment: 10 * SECOND,
  discard: 10 * SECOND,
  descriptor: 10 * SECOND,
  setAutoLock: 10 * SECOND,
  receipts: 40 * SECOND,
  exportState: 50 * SECOND,
  activityDetail: 40 * SECOND,
  offlineRequest: 15 * SECOND,
  offlineFinish: 15 * SECOND,
  sendThrough: 70 * SECOND,
  setRoute: 10 * SECOND,
  testRoute: 90 * SECOND,
  drillRequest: 10 * SECOND,
  drillFinish: 15 * SECOND,
  returnBegin: 15 * SECOND,
  returning: 10 * SECOND,
  returnQuestion: 10 * SECOND,
  returnLook: 40 * SECOND,
  returnFreeze: 10 * SECOND,
  returnStart: 60 * SECOND,
  returnAnswer: 60 * SECOND,
  returnStop: 10 * SECOND,
  ceremonies: 40 * SECOND,
  sayCeremony: 40 * SECOND,
  askWords: 10 * SECOND,
  bringWords: 40 * SECOND,
  rules: 40 * SECOND,
  setRules: 40 * SECOND,
  holds: 40 * SECOND,
  cancelHold: 40 * SECOND,
  carryOut: 40 * SECOND,
  kit: 40 * SECOND,
  kitWords: 10 * SECOND,
  kitAsk: 40 * SECOND,
  kitStart: 40 * SECOND,
  kitAnswer: 60 * SECOND,
  kitStop: 10 * SECOND,
  moving: 10 * SECOND,
  moveStart: 60 * SECOND,
  moveAnswer: 60 * SECOND,
  moveResume: 60 * SECOND,
  sweep: 10 * SECOND,
  sweepAdopt: 10 * SECOND,
  sweepDraft: 40 * SECOND,
  sweepFinish: 45 * SECOND,
};

/** A keygen round lives in the worker's memory: after its death the forming screen resumes or begins again. */
const ASKED_ONCE: ReadonlySet<PortMethod> = new Set<PortMethod>([
  'keygenStart',
  'keygenRound1',
  'keygenRound2',
  'keygenCertify',
]);

const REOPEN_MS = [0, 100, 250, 500, 1000, 2000, 5000];
const LOST_AFTER = 4;

interface Waiting {
  method: PortMethod;
  argument: unknown;
  resolve(result: unknown): void;
  reject(error: unknown): void;
  timer: ReturnType<typeof setTimeout>;
}

export class PortClient implements DeviceClient {
  readonly #open: () => BrowserPort;
  #port: BrowserPort | null = null;
  #link: LinkState = 'waking';
  #closed = false;
  #failures = 0;
  #probing = false;
  #reopening: ReturnType<typeof setTimeout> | undefined;
  #lastId = 0;
  readonly #waiting = new Map<number, Waiting>();
  readonly #events = new Set<(event: PortEvent) => void>();
  readonly #links = new Set<(link: LinkState) => void>();

  constructor(open: () => BrowserPort) {
    this.#open = open;
    this.#connect();
  }

  /** `DeadlineExceeded` after `deadlineMs`; `ChannelClosed` if the worker died over a request that may not be asked twice. */
  call<M extends PortMethod>(
    method: M,
    argument: PortMethods[M][0],
    deadlineMs: number = DEADLINES[method],
  ): Promise<PortMethods[M][1]> {
    if (this.#closed) return Promise.reject(new HoarfrostError('ChannelClosed', { detail: 'page closed' }));
    const id = ++this.#lastId;
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        this.#waiting.delete(id);
        reject(new HoarfrostError('DeadlineExceeded', { detail: method }));
      }, deadlineMs);
      this.#waiting.set(id, {
        method,
        argument,
        resolve: (result) => resolve(result as PortMethods[M][1]),
        reject,
        timer,
      });
      this.#send(id);
    });
  }

  onEvent(listener: (event: PortEvent) => void): () => void {
    this.#events.add(listener);
    return () => this.#events.delete(listener);
  }

  /** Tells the present state at once, then every change. */
  onLink(listener: (link: LinkState) => void): () => void {
    this.#links.add(listener);
    listener(this.#link);
    return () => this.#links.delete(listener);
  }

  close(): void {
    this.#closed = true;
    clearTimeout(this.#reopening);
    for (const id of [...this.#waiting.keys()]) {
      this.#take(id)?.reject(new HoarfrostError('ChannelClosed', { detail: 'page closed' }));
    }
    this.#port?.disconnect();
    this.#port = null;
  }

  #connect(): void {
    let port: BrowserPort;
    try {
      port = this.#open();
    } catch {
      this.#failed();
      return;
    }
    this.#port = port;
    port.onMessage((message) => {
      if (this.#port === port) this.#receive(message);
    });
    port.onDisconnect(() => {
      if (this.#port === port) this.#failed();
    });
    // Opening a port answers nothing by itself: only an answer shows that somebody is there.
    for (const id of [...this.#waiting.keys()]) this.#send(id);
    if (this.#failures > 0) this.#probe();
    else this.#setLink('open');
  }

  /** After the worker's death the page asks for the state by itself, so that what it shows is of the new worker. */
  #probe(): void {
    if (this.#probing) return;
    this.#probing = true;
    this.call('state', null)
      .then((state) => this.#emit({ kind: 'state', state }))
      .catch(() => undefined)
      .finally(() => {
        this.#probing = false;
      });
  }

  #failed(): void {
    if (this.#closed) return;
    this.#port = null;
    for (const [id, waiting] of [...this.#waiting]) {
      if (!ASKED_ONCE.has(waiting.method)) continue;
      this.#take(id)?.reject(new HoarfrostError('ChannelClosed', { detail: waiting.method }));
    }
    const wait = REOPEN_MS[Math.min(this.#failures, REOPEN_MS.length - 1)];
    this.#failures += 1;
    this.#setLink(this.#failures > LOST_AFTER ? 'lost' : 'waking');
    clearTimeout(this.#reopening);
    this.#reopening = setTimeout(() => this.#connect(), wait);
  }

  #send(id: number): void {
    const waiting = this.#waiting.get(id);
    if (waiting === undefined || this.#port === null) return;
    let text: string;
    try {
      text = encodePort({ id, method: waiting.method, argument: waiting.argument });
    } catch (e) {
      this.#take(id)?.reject(e);
      return;
    }
    try {
      this.#port.postMessage(text);
    } catch {
      // The port died in this very moment; its disconnect event may never come.
      this.#failed();
    }
  }

  #receive(message: unknown): void {
    let reply: PortReply;
    try {
      reply = decodePortReply(message as string);
    } catch {
      return; // Not of our codec: the request it may have meant to answer ends at its deadline.
    }
    this.#failures = 0;
    this.#setLink('open');
    if ('event' in reply) {
      this.#emit(reply.event as PortEvent);
    } else {
      const waiting = this.#take(reply.id);
      if ('error' in reply) waiting?.reject(errorFromPort(reply.error));
      else waiting?.resolve(reply.result);
    }
  }

  #take(id: number): Waiting | undefined {
    const waiting = this.#waiting.get(id);
    if (waiting === undefined) return undefined;
    this.#waiting.delete(id);
    clearTimeout(waiting.timer);
    return waiting;
  }

  #emit(event: PortEvent): void {
    for (const listener of [...this.#events]) listener(event);
  }

  #setLink(link: LinkState): void {
    if (this.#link === link) return;
    this.#link = link;
    for (const listener of [...this.#links]) listener(link);
  }
}

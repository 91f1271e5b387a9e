/** One cosigner over many processes: whenever one is killed, the next, already warm, takes up folder and port. */
import { type ChildProcess, fork } from 'node:child_process';
import { join } from 'node:path';
import { root } from '../../scripts/setup/paths.ts';
import { within } from '../support/cosigner.ts';
import type { Order, Report } from './victim.ts';

/** It was killed before it answered. */
export class Dead extends Error {}

class Process {
  readonly #child: ChildProcess;
  readonly gone: Promise<void>;
  alive = true;
  readonly #waiting = new Map<number, (report: Report) => void>();
  readonly #warm: Promise<Report>;
  #orders = 0;

  constructor() {
    this.#child = fork(join(root, 'test/crash/victim.ts'), { stdio: ['ignore', 'ignore', 'inherit', 'ipc'] });
    this.#warm = this.#answer(0);
    this.#child.on('message', ({ number, report }: { number: number; report: Report }) => {
      this.#waiting.get(number)?.(report);
      this.#waiting.delete(number);
    });
    this.gone = new Promise((resolve) =>
      this.#child.on('exit', () => {
        this.alive = false;
        resolve();
      }),
    );
  }

  /** Rejects if it dies instead. */
  async ask(order: Order): Promise<Report> {
    await this.#warm;
    const number = ++this.#orders;
    const answer = this.#answer(number);
    if (this.alive) this.#child.send({ number, order }, () => {});
    const dead = this.gone.then(() => Promise.reject(new Dead()));
    return within(order.order, Promise.race([answer, dead]));
  }

  kill(): void {
    this.#child.kill('SIGKILL');
  }

  #answer(number: number): Promise<Report> {
    return new Promise((resolve) => this.#waiting.set(number, resolve));
  }
}

export class Cosigners {
  readonly #folder: string;
  #port = 0;
  #later = 0;
  #now: Process;
  #spare: Process;
  #reviving: Promise<void> | undefined;
  /** How often one was killed. */
  deaths = 0;

  private constructor(folder: string) {
    this.#folder = folder;
    this.#now = new Process();
    this.#spare = new Process();
  }

  static async start(folder: string): Promise<Cosigners> {
    const cosigners = new Cosigners(folder);
    await cosigners.#start();
    return cosigners;
  }

  get alive(): boolean {
    return this.#now.alive;
  }

  get gone(): Promise<void> {
    return this.#now.gone;
  }

  async link(): Promise<string> {
    const answer = await this.#ask({ order: 'link' });
    if (answer.report !== 'link') throw new Error(answer.report);
    return answer.uri;
  }

  /** To die at that boundary of its work; 0 disarms. */
  async arm(boundary: number): Promise<void> {
    await this.#ask({ order: 'arm', boundary }).catch(() => {});
  }

  async tidy(): Promise<void> {
    await this.#ask({ order: 'tidy' });
  }

  /** Whole hours of time for whoever waits, this cosigner and all after it. */
  async pass(ms: number): Promise<void> {
    this.#later += ms;
    await this.#ask({ order: 'pass', later: this.#later });
  }

  /** kill -9, wherever it is. */
  kill(): void {
    this.#now.kill();
  }

  /** The next one, if this one is dead. */
  revive(): Promise<void> {
    this.#reviving ??= this.#revive().finally(() => {
      this.#reviving = undefined;
    });
    return this.#reviving;
  }

  async #revive(): Promise<void> {
    if (this.#now.alive) return;
    this.deaths++;
    this.#now = this.#spare;
    this.#spare = new Process();
    await this.#start();
  }

  async stop(): Promise<void> {
    this.#now.kill();
    this.#spare.kill();
    await Promise.all([this.#now.gone, this.#spare.gone]);
  }

  /** Not of one that is only waking: it has no cosigner yet to do that with. */
  async #ask(order: Order): Promise<Report> {
    await this.#reviving;
    return this.#now.ask(order);
  }

  async #start(): Promise<void> {
    const answer = await this.#now.ask({
      order: 'start',
      folder: this.#folder,
      port: this.#port,
      later: this.#later,
    });
    if (answer.report !== 'started') throw new Error(answer.report);
    this.#port = answer.port;
  }
}

/**
 * A cosigner process that waits warm until it is needed, and kills itself as by `kill -9` at the n-th boundary after it was
 * told to: before, inside or behind a transaction, around the making, use and destroying of a key, between nonces and shares.
 * Spoken to by messages of its parent: see `Order` and `Report`.
 */
import { hex } from '@scure/base';
import { parseTransaction, txidOf } from '../../src/bitcoin/transaction.ts';
import { lookAtAll } from '../../src/cosigner/ceremonies.ts';
import { systemClock } from '../../src/cosigner/clock.ts';
import type { Cosigner } from '../../src/cosigner/cosigner.ts';
import { destroyDoomed } from '../../src/cosigner/epochKeys.ts';
import type { Store, WalletTx } from '../../src/cosigner/store.ts';
import { load } from '../../src/crypto/load.ts';
import { type Running, startCosigner, testTls } from '../support/cosigner.ts';
import { linkOf } from '../support/onboard.ts';

export type Order =
  | { order: 'start'; folder: string; port: number; later: number }
  | { order: 'link' }
  /** To die at that boundary from now on; 0 disarms. */
  | { order: 'arm'; boundary: number }
  /** All keys that wait for it are destroyed, reserved ones too: an hour passes for that. */
  | { order: 'tidy' }
  /** Time goes by until its clock is this far ahead, and it looks at its ceremonies every hour. It does not die of that. */
  | { order: 'pass'; later: number };
export type Report =
  | { report: 'warm' }
  | { report: 'started'; port: number }
  | { report: 'link'; uri: string }
  | { report: 'armed' }
  | { report: 'tidied' }
  | { report: 'passed' };

const COINS = 200;
const HOUR_MS = 3_600_000;

let left = 0;
/** Added to the wall clock. */
let later = 0;
let running: Running;

/** Nothing after this line happens. */
function boundary(): void {
  if (left > 0 && --left === 0) process.kill(process.pid, 'SIGKILL');
}

async function around<T>(work: () => Promise<T>): Promise<T> {
  boundary();
  const done = await work();
  boundary();
  return done;
}

function mortal(cosigner: Cosigner): Cosigner {
  const { store, keyWrap, signer } = cosigner;
  const over: Partial<Store> = {
    withWallet: <T>(id: Uint8Array<ArrayBuffer>, work: (tx: WalletTx) => Promise<T>) =>
      around(() =>
        store.withWallet(id, async (tx) => {
          const done = await work(tx);
          boundary();
          return done;
        }),
      ),
    enrol: (wallet, token) => around(() => store.enrol(wallet, token)),
  };
  return {
    ...cosigner,
    store: new Proxy(store, {
      get(target, name) {
        const from = name in over ? over : target;
        const found = Reflect.get(from, name);
        return typeof found === 'function' ? found.bind(from) : found;
      },
    }),
    keyWrap: {
      ...keyWrap,
      seal: (...args) => around(() => keyWrap.seal(...args)),
      open: (...args) => around(() => keyWrap.open(...args)),
      destroy: (...args) => around(() => keyWrap.destroy(...args)),
    },
    signer: {
      ...signer,
      commit(args) {
        const made = signer.commit(args);
        boundary();
        return made;
      },
      signShare(args) {
        const share = signer.signShare(args);
        boundary();
        return share;
      },
    },
  };
}

async function start({ folder, port, later: ahead }: Extract<Order, { order: 'start' }>): Promise<void> {
  later = ahead;
  const clock = { ...systemClock, now: () => systemClock.now() + later };
  running = await startCosigner({ folder, port, clock, around: mortal });
  const { chain } = running;
  chain.scanned = {
    ...chain.scanned,
    nextReceive: 3,
    coins: Array.from({ length: COINS }, (_, i) => ({
      outpoint: { txid: (i + 1).toString(16).padStart(64, '0'), vout: 0 },
      value: 100_000n,
      branch: 0 as const,
      index: 0,
      height: 10,
      coinbase: false,
    })),
  };
  chain.broadcast = async (transaction) => hex.encode(txidOf(parseTransaction(transaction)));
}

async function obey(order: Order): Promise<Report> {
  switch (order.order) {
    case 'start':
      await start(order);
      return { report: 'started', port: running.listener.port };
    case 'link':
      return { report: 'link', uri: await linkOf(running) };
    case 'arm':
      left = order.boundary;
      return { report: 'armed' };
    case 'tidy':
      left = 0;
      later += HOUR_MS;
      await destroyDoomed(running.cosigner);
      later -= HOUR_MS;
      return { report: 'tidied' };
    case 'pass': {
      const armed = left;
      left = 0;
      for (; later < order.later; later += HOUR_MS) await lookAtAll(running.cosigner);
      await lookAtAll(running.cosigner);
      left = armed;
      return { report: 'passed' };
    }
  }
}

/** One at a time: what an order puts back when it is done would undo one that came meanwhile. */
let last = Promise.resolve();
process.on('message', ({ number, order }: { number: number; order: Order }) => {
  last = last.then(async () => void process.send!({ number, report: await obey(order) }));
});
process.on('disconnect', () => process.exit());
await Promise.all([load(), testTls]);
process.send!({ number: 0, report: { report: 'warm' } satisfies Report });

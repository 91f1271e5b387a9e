/**
 * A cosigner process that kills itself, as by `kill -9`, at one exact step of its work: `node dyingCosigner.ts FOLDER STEP`.
 * Prints one JSON line: port, channel key, token.
 */
import type { Cosigner } from '../../src/cosigner/cosigner.ts';
import type { Store, WalletTx } from '../../src/cosigner/store.ts';
import { addressOf, startCosigner } from './cosigner.ts';

export const STEPS = [
  'keygen: key sealed',
  'keygen: wallet stored',
  'sign: before the ledger',
  'sign: inside the ledger',
  'sign: ledger written',
  'sign: nonces made',
  'sign: shares made',
  'sign: inside the answer',
  'sign: answer stored',
] as const;
export type Step = (typeof STEPS)[number];

/** `over` in place of the methods of `whole` that have its names. */
function cover<T extends object>(whole: T, over: Partial<T>): T {
  return new Proxy(whole, {
    get(target, name) {
      const found = Reflect.get(name in over ? over : target, name);
      return typeof found === 'function' ? found.bind(name in over ? over : target) : found;
    },
  });
}

function dyingAt(step: Step): (cosigner: Cosigner) => Cosigner {
  const at = (here: Step) => {
    if (here === step) process.kill(process.pid, 'SIGKILL');
  };
  return (cosigner) => {
    const { keyWrap, signer, store } = cosigner;
    const dyingStore: Partial<Store> = {
      async enrol(wallet, token) {
        await store.enrol(wallet, token);
        at('keygen: wallet stored');
      },
      async withWallet<T>(
        id: Parameters<Store['withWallet']>[0],
        work: (tx: WalletTx) => Promise<T>,
      ): Promise<T> {
        let answering = false;
        at('sign: before the ledger');
        const result = await store.withWallet(id, async (tx) => {
          const done = await work(
            cover(tx, {
              storeAnswer(request, answer) {
                answering = true;
                return tx.storeAnswer(request, answer);
              },
            }),
          );
          at(answering ? 'sign: inside the answer' : 'sign: inside the ledger');
          return done;
        });
        at(answering ? 'sign: answer stored' : 'sign: ledger written');
        return result;
      },
    };
    return {
      ...cosigner,
      store: cover(store, dyingStore),
      keyWrap: {
        ...keyWrap,
        async seal(wallet, epoch, share) {
          const sealed = await keyWrap.seal(wallet, epoch, share);
          at('keygen: key sealed');
          return sealed;
        },
      },
      signer: {
        ...signer,
        commit(args) {
          const made = signer.commit(args);
          at('sign: nonces made');
          return made;
        },
        signShare(args) {
          const share = signer.signShare(args);
          at('sign: shares made');
          return share;
        },
      },
    };
  };
}

if (import.meta.main) {
  const [folder, step] = process.argv.slice(2) as [string, Step];
  const running = await startCosigner({ folder, around: dyingAt(step) });
  const { port, noiseKey } = addressOf(running);
  const line = { port, noiseKey: Buffer.from(noiseKey).toString('hex'), token: await running.token() };
  process.stdout.write(`${JSON.stringify(line)}\n`);
}

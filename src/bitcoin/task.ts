/**
 * What device and recovery sign when they are alone: a payment, or the drill's dated message. Both read the task by this and
 * compare digests, so what one showed is what the other signs.
 */
import { ensure } from '../protocol/errors.ts';
import type { OfflineTask } from '../protocol/offline.ts';
import { type Account, deriveKey } from './descriptor.ts';
import { messageToSign } from './message.ts';
import { parsePsbt } from './psbt.ts';
import { type InputToSign, sighashes } from './sighash.ts';
import { type Summary, summarise, summaryDigest } from './summary.ts';

type Bytes = Uint8Array<ArrayBuffer>;

export type TaskEffect =
  | { kind: 'payment'; summary: Summary }
  | { kind: 'drill'; at: number; message: string; address: string };

export interface ReadTask {
  /** In input order; of a drill exactly one. */
  readonly inputs: readonly InputToSign[];
  /** 32 bytes that stand for what the task does. */
  readonly digest: Bytes;
  readonly effect: TaskEffect;
}

/** The end of the year 9999: later dates have another form. */
const LATEST = Date.UTC(10_000, 0) - 1;

/** Throws what `parsePsbt`, `sighashes` and `summarise` throw: `BadPsbt`, `ForeignInput`, `SighashRefused`, `TooLarge`. */
export function readTask(task: OfflineTask, account: Account): ReadTask {
  switch (task.kind) {
    case 'payment': {
      const psbt = parsePsbt(task.psbt);
      const summary = summarise(psbt, account, task);
      const inputs = sighashes(psbt, account);
      return { inputs, digest: summaryDigest(summary), effect: { kind: 'payment', summary } };
    }
    case 'drill': {
      // The first address of all: it exists in every wallet and says nothing new to anybody.
      const key = deriveKey(account, 0, 0);
      const message = drillMessage(task.at);
      const input = messageToSign(key, message);
      const effect = { kind: 'drill' as const, at: task.at, message, address: key.address };
      return { inputs: [input], digest: Uint8Array.from(input.sighash), effect };
    }
  }
}

function drillMessage(at: number): string {
  ensure(at >= 0 && at <= LATEST, 'BadEncoding', { detail: 'date of the drill' });
  return `Hoarfrost drill ${new Date(at).toISOString()}`;
}

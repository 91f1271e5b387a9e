/** The bench inside a page of Chromium; the host calls `benchSigner` and lends it native libsecp256k1. */
import { load } from '../../src/crypto/load.ts';
import { type Native, operations } from './operations.ts';
import { measure, type Plan, type Result } from './rounds.ts';

declare global {
  var benchSigner: (plan: Plan, withNative: boolean) => Promise<Result[]>;
  var native: Native;
  var progress: (name: string) => Promise<void>;
}

globalThis.benchSigner = async (plan, withNative) => {
  const results: Result[] = [];
  for (const operation of await operations(await load(), withNative ? globalThis.native : undefined)) {
    await globalThis.progress(operation.name);
    results.push(await measure(operation, plan));
  }
  return results;
};

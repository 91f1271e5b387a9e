/** What the tests of the store fill it with. */
import { expect } from 'vitest';
import type { Bytes, NewWallet } from '../../src/cosigner/store.ts';

export const bytes = (fill: number, length = 32): Bytes => new Uint8Array(length).fill(fill);
export const NOW = 1_800_000_000_000;

/** Another one for every tenth `n`. */
export const walletOf = (n: number): NewWallet => ({
  id: bytes(n),
  session: bytes(n + 1),
  deviceKey: bytes(n + 2),
  recoveryKey: bytes(n + 5),
  certificate: bytes(n + 3, 900),
  epoch: 0,
  sealedShare: bytes(n + 4, 60),
  begunAt: NOW,
});
export const code = (name: string) => expect.objectContaining({ code: name });

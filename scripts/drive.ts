import type { Chromium } from './chromium.ts';
import type { RunningCosigner } from './cosigner.ts';
import type { Regtest } from './setup/regtest.ts';

export interface Paid {
  txid: string;
  height: number;
  keygenMs: number;
  signMs: number;
}

interface Scene {
  node?: Regtest;
  cosigner: RunningCosigner;
  chromium: Chromium;
}

export const lastLine = ({ txid, height, keygenMs, signMs }: Paid): string =>
  `paid ${txid} block ${height} keygen ${Math.round(keygenMs)} ms sign ${Math.round(signMs)} ms`;

export async function drive(_scene: Scene): Promise<Paid> {
  throw new Error('the screens are not there yet');
}

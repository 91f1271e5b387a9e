/** The device's ChainSource: the cosigner looks, over the channel. What it says is checked where it can be: by the keys. */
import { hex } from '@scure/base';
import { boundRates } from '../chain/feeRates.ts';
import type { AccountScan, ChainSource } from '../chain/source.ts';
import { ensure, isHoarfrostError } from '../protocol/errors.ts';
import type { Answer, AnswerOf, Request } from '../protocol/messages.ts';
import type { Channel } from './channel.ts';

/** `scan` looks at the wallet that the channel's key belongs to, whatever account is asked for. */
export function remoteChain(channel: Channel): ChainSource {
  async function ask<K extends Answer['kind']>(message: Request, kind: K): Promise<AnswerOf<K>> {
    return (await channel.connection()).request(message, kind);
  }
  return {
    scan: async () => scanOf(await ask({ kind: 'scan' }, 'scanned')),
    async fees() {
      const { fast, medium, slow, floor } = await ask({ kind: 'fees' }, 'fees');
      return boundRates({ fast, medium, slow }, floor);
    },
    async transaction(txid) {
      try {
        const found = await ask({ kind: 'transaction', txid: bytesOf(txid) }, 'transaction');
        return { transaction: found.transaction, height: found.height };
      } catch (e) {
        if (isHoarfrostError(e) && e.code === 'SessionUnknown') return null;
        throw e;
      }
    },
    async broadcast(transaction) {
      const message = { kind: 'broadcast' as const, transaction: Uint8Array.from(transaction) };
      return hex.encode((await ask(message, 'broadcast')).txid);
    },
    height: async () => (await ask({ kind: 'scan' }, 'scanned')).height,
    close: () => channel.close(),
  };
}

function scanOf(scanned: AnswerOf<'scanned'>): AccountScan {
  return {
    height: scanned.height,
    tip: hex.encode(scanned.tip),
    coins: scanned.coins.map((coin) => ({
      ...coin,
      outpoint: { txid: hex.encode(coin.outpoint.txid), vout: coin.outpoint.vout },
      branch: branchOf(coin.branch),
    })),
    history: scanned.history.map((entry) => ({ ...entry, txid: hex.encode(entry.txid) })),
    nextReceive: scanned.nextReceive,
    nextChange: scanned.nextChange,
  };
}

function branchOf(branch: number): 0 | 1 {
  ensure(branch === 0 || branch === 1, 'BadEncoding', { detail: 'branch', culprit: 2 });
  return branch;
}

const bytesOf = (txid: string) => Uint8Array.from(hex.decode(txid));

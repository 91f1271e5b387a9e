import { readFile } from 'node:fs/promises';
import { createBitcoind } from '../chain/bitcoind.ts';
import { createElectrum } from '../chain/electrum.ts';
import { createEsplora } from '../chain/esplora.ts';
import type { ChainSource } from '../chain/source.ts';
import { dialSocket } from '../chain/transport/socket.ts';
import { HoarfrostError } from '../protocol/errors.ts';
import type { Network } from '../protocol/networks.ts';
import type { Clock } from './clock.ts';
import type { ChainSetting } from './config.ts';

/** The source that the setting names. Nothing is asked of it yet. */
export function openChain(setting: ChainSetting, network: Network, clock: Clock): ChainSource {
  switch (setting.kind) {
    case 'esplora':
      return createEsplora({ url: setting.url, network, now: clock.now });
    case 'electrum':
      return createElectrum({ dial: dialSocket(setting.address), network, now: clock.now });
    case 'bitcoind': {
      const { url, auth } = setting;
      const credentials =
        'cookieFile' in auth ? () => readCookie(auth.cookieFile) : () => `${auth.user}:${auth.password}`;
      return createBitcoind({ url, network, credentials });
    }
  }
}

/** The node writes a new one at each start. */
async function readCookie(path: string): Promise<string> {
  try {
    return (await readFile(path, 'utf8')).trim();
  } catch (cause) {
    throw new HoarfrostError('ChainUnavailable', { detail: 'cookie file', cause });
  }
}

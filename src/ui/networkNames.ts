/** What a network is called on screen. */
import type { Network } from '../protocol/networks.ts';

export const NETWORK_NAMES: Record<Network, string> = {
  mainnet: 'Bitcoin',
  testnet4: 'Testnet 4',
  signet: 'Signet',
  mutinynet: 'MutinyNet',
  regtest: 'Regtest',
};

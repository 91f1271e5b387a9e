/** The Bitcoin networks the parties can agree on, by their wire names. Append-only: the position is the wire value. */
export const NETWORKS = ['mainnet', 'testnet4', 'signet', 'mutinynet', 'regtest'] as const;
export type Network = (typeof NETWORKS)[number];

import { ensure } from '../protocol/errors.ts';
import { NETWORKS, type Network } from '../protocol/networks.ts';

/** What tells one Bitcoin network from another in addresses, keys and nodes. */
export interface NetworkParams {
  readonly name: Network;
  /** What a person reads. */
  readonly title: string;
  /** Human-readable part of segwit addresses (BIP-173). mutinynet, signet and testnet4 share theirs. */
  readonly bech32: string;
  /** The same in the form of btc-signer. */
  readonly btc: { bech32: string; pubKeyHash: number; scriptHash: number; wif: number };
  /** Version bytes of an extended public key (BIP-32): xpub or tpub. */
  readonly xpubVersion: number;
  /** `chain` of bitcoind's getblockchaininfo. */
  readonly chain: string;
  /** Hash of block 0, display hex. All signets share one (BIP-325). */
  readonly genesis: string;
  /** The block challenge of a signet (BIP-325), hex; null elsewhere. */
  readonly signetChallenge: string | null;
}

const MAIN = { bech32: 'bc', pubKeyHash: 0x00, scriptHash: 0x05, wif: 0x80 };
const TEST = { bech32: 'tb', pubKeyHash: 0x6f, scriptHash: 0xc4, wif: 0xef };
const XPUB = 0x0488b21e;
const TPUB = 0x043587cf;
const SIGNET_GENESIS = '00000008819873e925422c1ff0f99f7cc9bbb232af63a077a480a3633bee1ef6';

const params: Record<Network, NetworkParams> = {
  mainnet: {
    name: 'mainnet',
    title: 'Bitcoin',
    bech32: 'bc',
    btc: MAIN,
    xpubVersion: XPUB,
    chain: 'main',
    genesis: '000000000019d6689c085ae165831e934ff763ae46a2a6c172b3f1b60a8ce26f',
    signetChallenge: null,
  },
  testnet4: {
    name: 'testnet4',
    title: 'Testnet4',
    bech32: 'tb',
    btc: TEST,
    xpubVersion: TPUB,
    chain: 'testnet4',
    genesis: '00000000da84f2bafbbc53dee25a72ae507ff4914b867c565be350b0da8bf043',
    signetChallenge: null,
  },
  signet: {
    name: 'signet',
    title: 'Signet',
    bech32: 'tb',
    btc: TEST,
    xpubVersion: TPUB,
    chain: 'signet',
    genesis: SIGNET_GENESIS,
    signetChallenge:
      '512103ad5e0edad18cb1f0fc0d28a3d4f1f3e445640337489abb10404f2d1e086be430210359ef5021964fe22d6f8e05b2463c9540ce96883fe3b278760f048f5189f2e6c452ae',
  },
  mutinynet: {
    name: 'mutinynet',
    title: 'MutinyNet',
    bech32: 'tb',
    btc: TEST,
    xpubVersion: TPUB,
    chain: 'signet',
    genesis: SIGNET_GENESIS,
    signetChallenge: '512102f7561d208dd9ae99bf497273e16f389bdbd6c4742ddb8e6b216e64fa2928ad8f51ae',
  },
  regtest: {
    name: 'regtest',
    title: 'Regtest',
    bech32: 'bcrt',
    btc: { ...TEST, bech32: 'bcrt' },
    xpubVersion: TPUB,
    chain: 'regtest',
    genesis: '0f9188f13cb7b2c71f2a335e3a4fc328bf5beb436012afca590b1a11466e2206',
    signetChallenge: null,
  },
};

export function networkParams(network: Network): NetworkParams {
  ensure(NETWORKS.includes(network), 'WrongNetwork');
  return params[network];
}

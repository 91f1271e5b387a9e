import type { ChainSource } from '../chain/source.ts';
import type { Random } from '../crypto/random.ts';
import type { SignerModule } from '../crypto/signer.ts';
import type { Network } from '../protocol/networks.ts';
import type { Announcements } from './announcements.ts';
import type { Clock } from './clock.ts';
import type { Identity } from './identity.ts';
import type { KeyWrap } from './keywrap.ts';
import type { Limiter } from './limits.ts';
import type { Log } from './log.ts';
import type { Metrics } from './metrics.ts';
import type { Contacts } from './notices.ts';
import type { Policies } from './policies.ts';
import type { Store } from './store.ts';
import type { TokenUse } from './tokens.ts';
import type { Wallets } from './wallet.ts';

/** The parts of one running cosigner. Nothing here remembers anything about a wallet but store and key wrap. */
export interface Cosigner {
  readonly network: Network;
  readonly identity: Identity;
  readonly store: Store;
  readonly keyWrap: KeyWrap;
  readonly chain: ChainSource;
  readonly signer: SignerModule;
  readonly random: Random;
  readonly clock: Clock;
  readonly log: Log;
  readonly metrics: Metrics;
  readonly limiter: Limiter;
  readonly tokenUse: TokenUse;
  readonly wallets: Wallets;
  readonly policies: Policies;
  readonly contacts: Contacts;
  readonly announcements: Announcements;
}

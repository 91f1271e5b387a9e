/** All guards that `npm run guards` takes out. */
import { AUDIT_GUARDS } from './audit.ts';
import { CHANNEL_KEY_GUARDS } from './channelKey.ts';
import { ENDS_GUARDS } from './ends.ts';
import type { Guard } from './guard.ts';
import { KEYGEN_GUARDS } from './keygen.ts';
import { LOADER_GUARDS } from './loader.ts';
import { MODULE_GUARDS } from './module.ts';
import { REFRESH_GUARDS } from './refresh.ts';
import { REPAIR_GUARDS } from './repair.ts';
import { SIGNING_GUARDS } from './signing.ts';

export const GUARDS: readonly Guard[] = [
  ...KEYGEN_GUARDS,
  ...LOADER_GUARDS,
  ...MODULE_GUARDS,
  ...SIGNING_GUARDS,
  ...REFRESH_GUARDS,
  ...REPAIR_GUARDS,
  ...ENDS_GUARDS,
  ...AUDIT_GUARDS,
  ...CHANNEL_KEY_GUARDS,
];

/** Unlocking, locking, and how long the vault stays open. */
import { ensure } from '../../protocol/errors.ts';
import type { AutoLock } from '../autoLock.ts';
import { unlockVault } from '../vault.ts';
import type { Handlers, Inside } from './subject.ts';

export function vaultHandlers(
  inside: Inside,
  autoLock: AutoLock,
): Handlers<'unlock' | 'lock' | 'setAutoLock'> {
  return {
    unlock: async ({ password }) => {
      const record = await inside.parts.db.get('vault', 'vault');
      ensure(record !== null, 'NoWallet');
      if (inside.vault === null) {
        const dataKey = await unlockVault(record, password);
        try {
          await inside.begin(dataKey);
        } finally {
          dataKey.wipe();
        }
        await inside.openWallet();
      }
      return null;
    },
    lock: async () => {
      await inside.lock();
      return null;
    },
    setAutoLock: async ({ minutes }) => {
      await autoLock.set(minutes);
      inside.tell();
      return null;
    },
  };
}

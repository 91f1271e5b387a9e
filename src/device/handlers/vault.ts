/** Unlocking, locking, how long the vault stays open, and what it takes to open it. */
import { Secret, withSecrets } from '../../crypto/secret.ts';
import { ensure } from '../../protocol/errors.ts';
import type { AutoLock } from '../autoLock.ts';
import { PasswordLock } from '../password.ts';
import type { Credentials } from '../vault.ts';
import type { Handlers, Inside } from './subject.ts';

type VaultMethod =
  | 'unlock'
  | 'unlockWithSecurityKey'
  | 'lock'
  | 'setAutoLock'
  | 'changePassword'
  | 'setSecurityKey';

export function vaultHandlers(inside: Inside, autoLock: AutoLock): Handlers<VaultMethod> {
  const lock = new PasswordLock(inside.parts);

  const unlock = async (credentials: Credentials) => {
    if (inside.vault === null) {
      const dataKey = await lock.open(credentials);
      try {
        await inside.begin(dataKey);
      } finally {
        dataKey.wipe();
      }
      await inside.openWallet();
    }
    return null;
  };

  return {
    unlock: ({ password }) => unlock({ password, factor: null }),
    unlockWithSecurityKey: ({ password, factor }) =>
      withFactor(factor, (f) => unlock({ password, factor: f })),
    lock: async () => {
      await inside.lock();
      return null;
    },
    setAutoLock: async ({ minutes }) => {
      await autoLock.set(minutes);
      inside.tell();
      return null;
    },
    changePassword: async ({ password, factor, next }) => {
      await withFactor(factor, (f) => lock.changePassword({ password, factor: f }, next));
      return true;
    },
    setSecurityKey: async ({ password, factor, securityKey }) => {
      await withFactor(factor, (f) =>
        withFactor(securityKey?.factor ?? null, (next) =>
          lock.changeSecurityKey(
            { password, factor: f },
            next === null || securityKey === null
              ? null
              : { credential: bytes(securityKey.credential), salt: bytes(securityKey.salt), factor: next },
          ),
        ),
      );
      inside.tell();
      return true;
    },
  };
}

/** The port's copy is overwritten, and so is ours at the end. `BadEncoding` unless it has 32 bytes. */
async function withFactor<T>(
  factor: Uint8Array | null,
  use: (factor: Secret | null) => Promise<T>,
): Promise<T> {
  if (factor === null) return use(null);
  ensure(factor.length === 32, 'BadEncoding', { detail: 'factor' });
  const secret = Secret.take(factor);
  return withSecrets([secret], () => use(secret));
}

function bytes(value: Uint8Array): Uint8Array<ArrayBuffer> {
  return Uint8Array.from(value);
}

import { expect, test } from 'vitest';
import { BADGE, badgeOf } from '../../src/device/badge.ts';
import type { CeremonyInfo, DeviceState, WalletView } from '../../src/device/port.ts';

const wallet = (parts: Partial<WalletView>) =>
  ({
    phase: 'unlocked',
    wallet: { rulesVersion: 1, frozen: false, ceremonies: [], ...parts },
  }) as unknown as DeviceState;
const openedBy = (who: CeremonyInfo['openedBy']) => ({ openedBy: who }) as CeremonyInfo;

test('the toolbar calls for what others ask and for a freeze, and for nothing that this browser asked itself', () => {
  expect(badgeOf(wallet({}))).toBe('');
  expect(badgeOf(wallet({ ceremonies: [openedBy('device')] }))).toBe('');
  expect(badgeOf(wallet({ ceremonies: [openedBy('device'), openedBy('words')] }))).toBe(BADGE);
  expect(badgeOf(wallet({ ceremonies: [openedBy('contact')] }))).toBe(BADGE);
  expect(badgeOf(wallet({ frozen: true }))).toBe(BADGE);
});

test('a lock, and a cosigner that has not been heard, leave it as it was', () => {
  expect(badgeOf({ phase: 'locked' } as DeviceState)).toBeNull();
  expect(badgeOf(wallet({ rulesVersion: 0 }))).toBeNull();
});

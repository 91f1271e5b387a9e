/**
 * A vault as version 1 stored it: every field, the share's epoch and the derivation's cost among its labels, so that nothing
 * could change without sealing all anew. That happens once, at the first unlock, in one write.
 */
import { aeadOpen } from '../crypto/aead.ts';
import { deriveKek, type KdfParameters } from '../crypto/kdf.ts';
import type { Random } from '../crypto/random.ts';
import { type Secret, withSecrets } from '../crypto/secret.ts';
import { bytes, encode, oneOf, struct, text, u8, u32 } from '../protocol/codec.ts';
import { ensure, HoarfrostError, isHoarfrostError } from '../protocol/errors.ts';
import { NETWORKS, type Network } from '../protocol/networks.ts';
import { type Credentials, derivePasswordKey, type SealedVault, sealVault } from './vault.ts';

type Bytes = Uint8Array<ArrayBuffer>;

export interface VaultVersion1 {
  readonly version: 1;
  readonly kdf: KdfParameters;
  readonly wallet: Bytes;
  readonly network: Network;
  readonly shareId: number;
  readonly epoch: number;
  readonly dataKey: Bytes;
  readonly share: Bytes;
  readonly host: Bytes;
  readonly channel: Bytes;
  readonly channelPublic: Bytes;
}

/** The same secrets in a vault of today; the caller wipes the data key. Throws `WrongPassword`, or `VaultDamaged`. */
export async function upgradeVersion1(
  record: VaultVersion1,
  { password, factor }: Credentials,
  random: Random,
): Promise<{ vault: SealedVault; dataKey: Secret }> {
  ensure(factor === null, 'SecurityKeyNeeded');
  const { wallet, network, epoch, channelPublic } = record;
  const kek = await deriveKek(password, record.kdf);
  let oldKey: Secret;
  try {
    oldKey = await aeadOpen(kek, record.dataKey, aad(record, 'data-key'));
  } catch (cause) {
    throw isHoarfrostError(cause) && cause.code === 'VaultDamaged'
      ? cause
      : new HoarfrostError('WrongPassword', { cause });
  }
  const key = await withSecrets([oldKey], () =>
    crypto.subtle.importKey('raw', oldKey.expose(), 'AES-GCM', false, ['decrypt']),
  );
  const opened: Secret[] = [];
  try {
    for (const what of ['share', 'host', 'channel'] as const) {
      opened.push(await aeadOpen(key, record[what], aad(record, what)));
    }
    const [share, host, channel] = opened as [Secret, Secret, Secret];
    const raw = channel.expose();
    const privateKey = await crypto.subtle.importKey('pkcs8', raw, 'X25519', true, ['deriveBits']);
    const { vault, dataKey } = await sealVault({
      password: await derivePasswordKey(password, random),
      context: { wallet, network },
      epoch,
      share,
      host,
      channel: { privateKey, publicKey: channelPublic },
      random,
    });
    return { vault, dataKey };
  } catch (cause) {
    throw new HoarfrostError('VaultDamaged', { detail: 'version 1', cause });
  } finally {
    for (const secret of opened) secret.wipe();
  }
}

const label = struct({
  what: text(16),
  version: u8,
  kdf: struct({ version: u8, memory: u32, passes: u8, lanes: u8, salt: bytes(16) }),
  wallet: bytes(32),
  shareId: u8,
  network: oneOf(...NETWORKS),
  epoch: u32,
});

function aad(record: VaultVersion1, what: 'data-key' | 'share' | 'host' | 'channel'): Bytes {
  return encode(label, { what, ...record });
}

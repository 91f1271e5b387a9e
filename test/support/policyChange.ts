/** A version of a policy as a device brings it, signed by whom the test says. */
import type { Identity } from '../../src/cosigner/identity.ts';
import { load } from '../../src/crypto/load.ts';
import { systemRandom } from '../../src/crypto/random.ts';
import type { Secret } from '../../src/crypto/secret.ts';
import { encodePolicy, type Policy } from '../../src/policy/document.ts';
import { policyCeremonyHash, policyChangeHash, signedPolicy } from '../../src/policy/versions.ts';
import { encode } from '../../src/protocol/codec.ts';
import type { Receipt } from '../../src/protocol/messages.ts';
import type { Client, TestDevice } from './cosigner.ts';

type Bytes = Uint8Array<ArrayBuffer>;

/** `ceremony`: the cosigner's word over a ceremony that there is not; else the statement that it gave. */
export type PolicySigner =
  | 'device'
  | 'recovery'
  | 'ceremony'
  | { readonly id: Bytes; readonly signature: Bytes };

export async function changePolicy(
  client: Client,
  device: TestDevice,
  cosigner: Pick<Identity, 'host'>,
  previous: Policy,
  next: Policy,
  by: PolicySigner[],
): Promise<Receipt> {
  const signer = await load();
  const sign = (key: Secret, hash: Uint8Array) =>
    Uint8Array.from(signer.schnorrSign(key, hash, systemRandom(32)));
  const { wallet } = device.keys;
  const hash = policyChangeHash(wallet, previous, next);
  const id = systemRandom(32);
  const invented = () => ({
    id,
    signature: sign(cosigner.host, policyCeremonyHash(wallet, previous, next, id)),
  });
  const statement =
    by.find((each) => typeof each === 'object') ?? (by.includes('ceremony') ? invented() : null);
  const signed = encode(signedPolicy, {
    document: encodePolicy(next),
    epoch: 0,
    device: by.includes('device') ? sign(device.share, hash) : null,
    recovery: by.includes('recovery') ? sign(device.recoveryHost, hash) : null,
    freeze: null,
    ceremony: statement,
  });
  return (await client.ask({ kind: 'changePolicy', signed }, 'done')).receipt;
}

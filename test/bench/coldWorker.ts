/** What a woken background does before its first signature share leaves: load, commit, sign. All it needs is inlined. */
import { load } from '../../src/crypto/load.ts';
import { Secret } from '../../src/crypto/secret.ts';
import type { SigningPackage } from '../../src/crypto/signer.ts';

interface Job {
  readonly share: Uint8Array<ArrayBuffer>;
  readonly randomness: Uint8Array;
  readonly package: SigningPackage;
  readonly peerCommitment: Uint8Array;
}

// As a background does: the module is on its way before the first message is read.
const loading = load();

self.onmessage = async ({ data }: MessageEvent<Job>) => {
  const signer = await loading;
  const share = Secret.own(data.share);
  const { nonces, commitment } = signer.commit({
    share,
    randomness: data.randomness,
    context: new Uint8Array(0),
  });
  const commitments = [
    { id: 2 as const, commitment },
    { id: 1 as const, commitment: data.peerCommitment },
  ];
  self.postMessage(signer.signShare({ id: 2, share, nonces, package: { ...data.package, commitments } }));
};

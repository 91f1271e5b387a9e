/** What a party signs to show, on this very connection, that it holds a key: never reusable on another one. */
import { taggedHash } from '../protocol/sha256.ts';

type Bytes = Uint8Array<ArrayBuffer>;

/** The request as a retry must repeat it: the channel's proof is not part of it. */
export function signRequestHash(body: Uint8Array): Bytes {
  return taggedHash('hoarfrost/sign-request', body);
}

/** Signed by share 1, verified under x(Y1): who asks for a signature holds the share now. */
export function signProofHash(handshakeHash: Uint8Array, body: Uint8Array): Bytes {
  return taggedHash('hoarfrost/sign-proof', handshakeHash, signRequestHash(body));
}

/** The two of a text: neither is ever one of a payment. */
export function messageRequestHash(body: Uint8Array): Bytes {
  return taggedHash('hoarfrost/message-request', body);
}

export function messageProofHash(handshakeHash: Uint8Array, body: Uint8Array): Bytes {
  return taggedHash('hoarfrost/message-proof', handshakeHash, messageRequestHash(body));
}

/** Signed by a host key of the session: who asks for the certificate took part in it. */
export function keygenFetchHash(handshakeHash: Uint8Array, session: Uint8Array): Bytes {
  return taggedHash('hoarfrost/keygen-fetch', handshakeHash, session);
}

/** Signed by the cosigner's host key; also the `previous` of the next receipt. */
export function receiptHash(body: Uint8Array): Bytes {
  return taggedHash('hoarfrost/receipt', body);
}

/** Signed by the cosigner's host key: that refresh never completes, whatever the device certified. */
export function refreshVoidHash(wallet: Uint8Array, session: Uint8Array): Bytes {
  return taggedHash('hoarfrost/refresh-void', wallet, session);
}

/** Signed by the device's host key: what it asks recovery to sign with it. */
export function offlineRequestHash(body: Uint8Array): Bytes {
  return taggedHash('hoarfrost/offline-request', body);
}

/** The paper: twelve BIP-39 English words, and the keys that recovery draws from them. */
import { generateMnemonic, mnemonicToSeedWebcrypto, validateMnemonic } from '@scure/bip39';
import { wordlist } from '@scure/bip39/wordlists/english.js';
import { Secret } from '../crypto/secret.ts';
import { importX25519, x25519PublicKey } from '../crypto/x25519.ts';
import { ensure, HoarfrostError } from '../protocol/errors.ts';

export { wordlist };

/** 12 words: 128 bits. They are shown once, written by hand, and typed back; only what was typed is used. */
export function newWords(): string[] {
  return generateMnemonic(wordlist, 128).split(' ');
}

/** Four letters name a word of the list; fewer may. */
export function checkWord(typed: string): 'ok' | 'prefix' | 'unknown' {
  const word = normalise(typed);
  if (word === '') return 'prefix';
  if (wordlist.includes(word) || completeWord(word) !== null) return 'ok';
  return wordlist.some((w) => w.startsWith(word)) ? 'prefix' : 'unknown';
}

/** The one word that `typed` begins, if its four letters decide, else null. */
export function completeWord(typed: string): string | null {
  const word = normalise(typed);
  if (wordlist.includes(word)) return word;
  const matches = word.length >= 4 ? wordlist.filter((w) => w.startsWith(word)) : [];
  return matches.length === 1 ? matches[0]! : null;
}

export interface RecoveryKeys {
  /** BIP-340 host key. */
  readonly host: Secret;
  readonly encryption: { readonly privateKey: CryptoKey; readonly publicKey: Uint8Array<ArrayBuffer> };
}

/**
 * HKDF-SHA256 over the BIP-39 seed (no passphrase), one fixed label a key. Throws `BadWords` for a wrong word, count or
 * checksum. The strings cannot be wiped; the seed is.
 */
export async function keysFromWords(typed: readonly string[]): Promise<RecoveryKeys> {
  const words = typed.map((w) => completeWord(w));
  ensure(words.length === 12 || words.length === 24, 'BadWords', { detail: 'count' });
  for (const [i, word] of words.entries()) ensure(word !== null, 'BadWords', { detail: `word ${i + 1}` });
  const mnemonic = words.join(' ');
  if (!validateMnemonic(mnemonic, wordlist)) throw new HoarfrostError('BadWords', { detail: 'checksum' });
  const seed = Secret.take(await mnemonicToSeedWebcrypto(mnemonic));
  try {
    const base = await crypto.subtle.importKey('raw', seed.expose(), 'HKDF', false, ['deriveBits']);
    const host = await derive(base, 'hoarfrost/recovery/host');
    const encryptionSecret = await derive(base, 'hoarfrost/recovery/encryption');
    const privateKey = await importX25519(encryptionSecret);
    encryptionSecret.wipe();
    return { host, encryption: { privateKey, publicKey: await x25519PublicKey(privateKey) } };
  } finally {
    seed.wipe();
  }
}

async function derive(base: CryptoKey, label: string): Promise<Secret> {
  const info = new TextEncoder().encode(label);
  const algorithm = { name: 'HKDF', hash: 'SHA-256', salt: new Uint8Array(0), info };
  return Secret.own(new Uint8Array(await crypto.subtle.deriveBits(algorithm, base, 256)));
}

function normalise(word: string): string {
  return word.normalize('NFKD').trim().toLowerCase();
}

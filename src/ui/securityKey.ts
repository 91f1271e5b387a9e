/**
 * A security key that shares in unlocking: WebAuthn's PRF extension gives 32 bytes that only this key can make, for this
 * extension, at this salt. They go to the device beside the password and are of no use without it.
 */
import type { SecurityKeyView } from '../device/port.ts';

const PROBE_MS = 300;
/** What a browser says that will not do it here at all; anything else is about this one request. */
const REFUSALS = new Set(['SecurityError', 'NotSupportedError', '']);
const PROMPT_MS = 120_000;
/** The platform's own words end in two kinds for a person: it went away, or it cannot. */
export type KeyProblem = 'cancelled' | 'unable';

/**
 * Whether this browser lets an extension's page ask for one, without asking. A browser that refuses does so at once; a
 * request that would only fill in a form is seen by nobody, and is taken back.
 */
export async function canUseSecurityKeys(): Promise<boolean> {
  if (typeof PublicKeyCredential === 'undefined') return false;
  try {
    const able = await PublicKeyCredential.getClientCapabilities();
    if (able['extension:prf'] !== true) return false;
  } catch {
    return false;
  }
  const ended = new AbortController();
  const asked = navigator.credentials
    .get({ mediation: 'conditional', signal: ended.signal, publicKey: { challenge: random(32) } })
    .then(
      () => true,
      (e: unknown) => !REFUSALS.has(nameOf(e)),
    );
  const waiting = new Promise<true>((resolve) => setTimeout(() => resolve(true), PROBE_MS));
  const answer = await Promise.race([asked, waiting]);
  ended.abort();
  return answer && asked;
}

export interface NewSecurityKey extends SecurityKeyView {
  factor: Uint8Array;
}

/** Asks the person for a key, and makes it one of ours. Throws `KeyError`. */
export async function newSecurityKey(): Promise<NewSecurityKey> {
  const salt = random(32);
  const made = await asking(() =>
    navigator.credentials.create({
      publicKey: {
        rp: { name: 'Hoarfrost' },
        user: { id: random(16), name: 'Hoarfrost wallet', displayName: 'Hoarfrost wallet' },
        challenge: random(32),
        pubKeyCredParams: [
          { type: 'public-key', alg: -7 },
          { type: 'public-key', alg: -257 },
        ],
        authenticatorSelection: { residentKey: 'discouraged', userVerification: 'required' },
        extensions: { prf: { eval: { first: salt } } },
        timeout: PROMPT_MS,
      },
    }),
  );
  const credential = new Uint8Array(made.rawId);
  const { prf } = made.getClientExtensionResults();
  if (prf?.enabled !== true) throw new KeyError('unable');
  const factor = bytesOf(prf.results?.first) ?? (await factorOf({ credential, salt }));
  return { credential, salt, factor };
}

/** Asks the person for this key. Throws `KeyError`. */
export async function factorOf({ credential, salt }: SecurityKeyView): Promise<Uint8Array> {
  const id = Uint8Array.from(credential);
  const given = await asking(() =>
    navigator.credentials.get({
      publicKey: {
        challenge: random(32),
        allowCredentials: [{ type: 'public-key', id }],
        userVerification: 'required',
        extensions: { prf: { eval: { first: Uint8Array.from(salt) } } },
        timeout: PROMPT_MS,
      },
    }),
  );
  const factor = bytesOf(given.getClientExtensionResults().prf?.results?.first);
  if (factor === null) throw new KeyError('unable');
  return factor;
}

export class KeyError extends Error {
  readonly problem: KeyProblem;

  constructor(problem: KeyProblem) {
    super(problem);
    this.problem = problem;
  }
}

async function asking(ask: () => Promise<Credential | null>): Promise<PublicKeyCredential> {
  let answer: Credential | null;
  try {
    answer = await ask();
  } catch (e) {
    const gone = nameOf(e) === 'NotAllowedError' || nameOf(e) === 'AbortError';
    throw new KeyError(gone ? 'cancelled' : 'unable');
  }
  if (!(answer instanceof PublicKeyCredential)) throw new KeyError('unable');
  return answer;
}

function bytesOf(source: BufferSource | undefined): Uint8Array | null {
  if (source === undefined) return null;
  const bytes = ArrayBuffer.isView(source)
    ? new Uint8Array(source.buffer, source.byteOffset, source.byteLength)
    : new Uint8Array(source);
  return bytes.length === 32 ? bytes : null;
}

function random(length: number): Uint8Array<ArrayBuffer> {
  return crypto.getRandomValues(new Uint8Array(length));
}

function nameOf(e: unknown): string {
  return e instanceof DOMException ? e.name : '';
}

/**
 * The signer over our WebAssembly module (wasm/assembly): the only loader of it. Secrets are copied into the module's
 * memory, and each call overwrites them there before it returns; nonces and polynomials live in its slots until they
 * are used or dropped. This file checks lengths and lists; values are checked by the module.
 */
import { type Culprit, ensure, HoarfrostError } from '../protocol/errors.ts';
import { Secret } from './secret.ts';
import type {
  KeygenResult,
  NonceHandle,
  PartyId,
  PolynomialHandle,
  SignedMessage,
  SignerModule,
  SigningPackage,
} from './signer.ts';
import { SIGNER_WASM } from './signer.wasm.generated.ts';
import { ERRORS, type Exports } from './wasmExports.ts';

// Addresses and sizes of wasm/assembly/memory.ts and frost.ts.
const IN = 0x400;
const OUT = 0x2800;
const PACKAGE = 256;
const MEMBERS = PACKAGE + 131;
const MEMBER = 67;
const MESSAGE = PACKAGE + 265;
const MAX_CONTEXT = 8192;
const MAX_BATCH = 16;
/** Keys of one call of the bulk derivations; more are done in several. */
const MAX_KEYS = 128;

const IDS: readonly PartyId[] = [1, 2, 3];

function sized(value: Uint8Array, length: number, what: string, culprit?: PartyId): Uint8Array {
  ensure(value instanceof Uint8Array && value.length === length, 'BadEncoding', {
    detail: `${what} length`,
    ...(culprit && { culprit }),
  });
  return value;
}

function partyId(id: PartyId): PartyId {
  ensure(IDS.includes(id), 'BadIdentifier');
  return id;
}

/** `ids` are `expected`, in any order and each once. */
function exactly(ids: readonly PartyId[], expected: readonly PartyId[]): void {
  ensure(ids.length === expected.length && expected.every((id) => ids.includes(id)), 'BadIdentifier');
}

export interface LoadedSigner {
  readonly signer: SignerModule;
  /** The module's whole linear memory: for the tests that search it for leftovers. */
  readonly memory: WebAssembly.Memory;
}

/** A signer over an instance of `module`; handles of one instance are foreign to another. */
export function createWasmSigner(instance: WebAssembly.Instance): LoadedSigner {
  const wasm = instance.exports as unknown as Exports;
  const memory = new Uint8Array(wasm.memory.buffer);
  const nonceHandles = new WeakMap<object, number>();
  const polynomialHandles = new WeakMap<object, number>();
  // A handle that nobody can reach any more frees its slot, and its secrets with it.
  const lostNonces = new FinalizationRegistry<number>((handle) => wasm.dropNonces(handle));
  const lostPolynomials = new FinalizationRegistry<number>((handle) => wasm.dropPolynomial(handle));

  const put = (offset: number, bytes: Uint8Array): void => memory.set(bytes, IN + offset);
  const out = (offset: number, length: number): Uint8Array<ArrayBuffer> =>
    memory.slice(OUT + offset, OUT + offset + length);
  const secretOut = (offset: number, length = 32): Secret => Secret.own(out(offset, length));

  /** The result of a call; a negative one becomes its error. */
  function checked(result: number): number {
    if (result >= 0) return result;
    const code = ERRORS[(-result & 15) - 1] ?? 'Internal';
    const culprit = -result >> 4;
    throw new HoarfrostError(code, culprit === 0 ? {} : { culprit: culprit as Culprit });
  }

  /** Puts secrets where the call expects them. A secret that is wiped or of wrong length leaves nothing behind. */
  function putSecrets(
    secrets: readonly (readonly [offset: number, secret: Secret, culprit?: PartyId])[],
  ): void {
    for (const [, secret, culprit] of secrets) sized(secret.expose(), 32, 'secret', culprit);
    for (const [offset, secret] of secrets) put(offset, secret.expose());
  }

  function open<Handle extends object>(
    table: WeakMap<object, number>,
    lost: FinalizationRegistry<number>,
    value: number,
  ): Handle {
    const handle = Object.freeze({}) as Handle;
    table.set(handle, value);
    lost.register(handle, value, handle);
    return handle;
  }

  function peek(table: WeakMap<object, number>, handle: object): number {
    const value = table.get(handle);
    ensure(value !== undefined, 'NonceConsumed');
    return value;
  }

  function dropNonces(handle: NonceHandle): void {
    const value = nonceHandles.get(handle);
    if (value === undefined) return;
    nonceHandles.delete(handle);
    lostNonces.unregister(handle);
    wasm.dropNonces(value);
  }

  function dropPolynomial(handle: PolynomialHandle): void {
    const value = polynomialHandles.get(handle);
    if (value === undefined) return;
    polynomialHandles.delete(handle);
    lostPolynomials.unregister(handle);
    wasm.dropPolynomial(value);
  }

  /** Runs `use` with the live handle and closes it afterwards, also when the checks before the call refuse. */
  function consuming<T>(handle: NonceHandle, use: (value: number) => T): T {
    const value = peek(nonceHandles, handle);
    try {
      return use(value);
    } finally {
      dropNonces(handle);
    }
  }

  /** Lays the package out as frost.ts reads it. */
  function putPackage({ groupKey, tweak, expectedKey, message, commitments }: SigningPackage): void {
    const { derivation, path, merkleRoot } = tweak;
    sized(groupKey, 33, 'group key');
    sized(derivation, 32, 'derivation');
    ensure(path === 'key' || path === 'leaf', 'BadEncoding', { detail: 'path' });
    ensure(merkleRoot.length === 0 || (merkleRoot.length === 32 && path === 'key'), 'BadEncoding', {
      detail: 'merkle root length',
    });
    sized(expectedKey, 32, 'expected key');
    sized(message, 32, 'message');
    ensure(commitments.length === 2, 'BadIdentifier', { detail: 'two signers' });
    for (const { id, commitment } of commitments) sized(commitment, 66, 'commitment', partyId(id));
    const sorted = commitments[0]!.id < commitments[1]!.id ? commitments : [commitments[1]!, commitments[0]!];
    memory.fill(0, IN + PACKAGE, IN + MESSAGE);
    put(PACKAGE, groupKey);
    put(PACKAGE + 33, derivation);
    memory[IN + PACKAGE + 65] = path === 'leaf' ? 1 : 0;
    memory[IN + PACKAGE + 66] = merkleRoot.length;
    put(PACKAGE + 67, merkleRoot);
    put(PACKAGE + 99, expectedKey);
    sorted.forEach(({ id, commitment }, i) => {
      memory[IN + MEMBERS + i * MEMBER] = id;
      put(MEMBERS + i * MEMBER + 1, commitment);
    });
    put(MESSAGE, message);
  }

  function memberIds(pkg: SigningPackage): readonly PartyId[] {
    return pkg.commitments.map(({ id }) => id);
  }

  /** Commitments at 0, 66, 132; sub-shares at 198, by sender. */
  function putKeygen(
    commitments: readonly Uint8Array[],
    subShares: readonly { from: PartyId; share: Secret }[],
    senders: readonly PartyId[],
  ): void {
    ensure(commitments.length === 3, 'BadIdentifier', { detail: 'three commitments' });
    exactly(
      subShares.map(({ from }) => partyId(from)),
      senders,
    );
    commitments.forEach((commitment, i) => {
      ensure(commitment.length === 66, 'BadDegree', { culprit: IDS[i]! });
      put(66 * i, commitment);
    });
    putSecrets(subShares.map(({ from, share }) => [198 + 32 * (from - 1), share, from] as const));
  }

  function keygenResult(): KeygenResult {
    const share = secretOut(0);
    const [groupKey, y1, y2, y3] = [32, 65, 98, 131].map((at) => out(at, 33));
    wasm.wipeOut();
    return { share, groupKey: groupKey!, verifyingShares: [y1!, y2!, y3!] };
  }

  /** Splits a list into calls of at most `size` and joins what they give. */
  function inParts<T, R>(list: readonly T[], size: number, call: (part: readonly T[]) => R[]): R[] {
    const results: R[] = [];
    for (let i = 0; i < list.length; i += size) results.push(...call(list.slice(i, i + size)));
    return results;
  }

  const pointsOut = (count: number): Uint8Array[] => Array.from({ length: count }, (_, i) => out(33 * i, 33));

  const signer: SignerModule = {
    publicKey(secret) {
      putSecrets([[0, secret]]);
      checked(wasm.publicKey());
      return out(0, 33);
    },

    schnorrSign(secret, message, aux) {
      sized(message, 32, 'message');
      sized(aux, 32, 'aux');
      putSecrets([[0, secret]]);
      put(32, aux);
      put(64, message);
      checked(wasm.schnorrSign());
      return out(0, 64);
    },

    schnorrVerify(publicKey, message, signature) {
      if (publicKey.length !== 32 || message.length !== 32 || signature.length !== 64) return false;
      put(0, publicKey);
      put(32, signature);
      put(96, message);
      return wasm.schnorrVerify(32) === 1;
    },

    schnorrVerifyBatch(list: readonly SignedMessage[]) {
      for (const { publicKey, message, signature } of list) {
        if (publicKey.length !== 32 || message.length !== 32 || signature.length !== 64) return false;
      }
      return inParts(list, MAX_BATCH, (part) => {
        part.forEach(({ publicKey, message, signature }, i) => {
          put(128 * i, publicKey);
          put(128 * i + 32, signature);
          put(128 * i + 96, message);
        });
        return [wasm.schnorrVerifyBatch(part.length) === 1];
      }).every((valid) => valid);
    },

    ecdhX(secret, point) {
      sized(point, 33, 'point');
      putSecrets([[0, secret]]);
      put(32, point);
      checked(wasm.ecdhX());
      const x = secretOut(0);
      wasm.wipeOut();
      return x;
    },

    keygenCommit({ id, session, randomness }) {
      partyId(id);
      sized(session, 32, 'session');
      sized(randomness, 96, 'randomness');
      put(0, session);
      put(32, randomness);
      const polynomial = open<PolynomialHandle>(
        polynomialHandles,
        lostPolynomials,
        checked(wasm.keygenCommit(id)),
      );
      return { polynomial, commitment: out(0, 66), proof: out(66, 64) };
    },

    keygenVerifyProof({ id, session, commitment, proof }) {
      partyId(id);
      sized(session, 32, 'session');
      ensure(commitment.length === 66, 'BadDegree', { culprit: id });
      sized(proof, 64, 'proof', id);
      put(0, session);
      put(32, commitment);
      put(98, proof);
      checked(wasm.keygenVerifyProof(id));
    },

    keygenShareFor(polynomial, recipient) {
      checked(wasm.keygenShareFor(peek(polynomialHandles, polynomial), partyId(recipient)));
      const share = secretOut(0);
      wasm.wipeOut();
      return share;
    },

    keygenFinish({ id, polynomial, commitments, subShares }) {
      const handle = peek(polynomialHandles, polynomial);
      try {
        partyId(id);
        putKeygen(
          commitments,
          subShares,
          IDS.filter((other) => other !== id),
        );
        checked(wasm.keygenFinish(id, handle));
        return keygenResult();
      } finally {
        dropPolynomial(polynomial);
      }
    },

    sumSubShares({ id, commitments, subShares }) {
      partyId(id);
      putKeygen(commitments, subShares, IDS);
      checked(wasm.sumSubShares(id));
      return keygenResult();
    },

    dropPolynomial,

    commit({ share, randomness, context }) {
      sized(randomness, 64, 'randomness');
      ensure(context.length <= MAX_CONTEXT, 'TooLarge', { detail: 'context' });
      putSecrets([[0, share]]);
      put(32, randomness);
      put(96, context);
      const nonces = open<NonceHandle>(nonceHandles, lostNonces, checked(wasm.commit(context.length)));
      return { nonces, commitment: out(0, 66) };
    },

    signShare({ id, share, nonces, package: pkg }) {
      return consuming(nonces, (handle) => {
        partyId(id);
        putPackage(pkg);
        putSecrets([[0, share]]);
        checked(wasm.signShare(id, handle));
        return out(0, 32);
      });
    },

    verifyShare({ id, verifyingShare, signatureShare, package: pkg }) {
      partyId(id);
      putPackage(pkg);
      put(0, sized(verifyingShare, 33, 'verifying share'));
      put(33, sized(signatureShare, 32, 'signature share', id));
      checked(wasm.verifyShare(id));
    },

    aggregate({ shares, package: pkg }) {
      putPackage(pkg);
      exactly(
        shares.map(({ id }) => partyId(id)),
        memberIds(pkg),
      );
      const sorted = shares[0]!.id < shares[1]!.id ? shares : [shares[1]!, shares[0]!];
      sorted.forEach(({ id, signatureShare }, i) => {
        put(32 * i, sized(signatureShare, 32, 'signature share', id));
      });
      checked(wasm.aggregate());
      return out(0, 64);
    },

    finish({ id, share, nonces, package: pkg, peer }) {
      return consuming(nonces, (handle) => {
        putPackage(pkg);
        exactly([partyId(id), partyId(peer.id)], memberIds(pkg));
        put(32, sized(peer.verifyingShare, 33, 'verifying share'));
        put(65, sized(peer.signatureShare, 32, 'signature share', peer.id));
        putSecrets([[0, share]]);
        checked(wasm.finish(id, peer.id, handle));
        return out(0, 64);
      });
    },

    dropNonces,

    sumSecrets(secrets) {
      ensure(secrets.length > 0 && secrets.length <= 64, 'TooLarge', { detail: 'secrets' });
      putSecrets(secrets.map((secret, i) => [32 * i, secret] as const));
      checked(wasm.sumScalars(secrets.length));
      const sum = secretOut(0);
      wasm.wipeOut();
      return sum;
    },

    refreshDelta(contributions) {
      putSecrets(contributions.map((secret, i) => [32 * i, secret] as const));
      checked(wasm.refreshDelta());
      const result = { delta: secretOut(0), recoveryDelta: secretOut(32), slope: out(64, 33) };
      wasm.wipeOut();
      return result;
    },

    refreshShare({ id, share, delta }) {
      partyId(id);
      putSecrets([
        [0, share],
        [32, delta],
      ]);
      checked(wasm.refreshShare(id));
      const result = { share: secretOut(0), verifyingShare: out(32, 33) };
      wasm.wipeOut();
      return result;
    },

    repairSplit({ id, helper, target, share, randomness }) {
      for (const each of [id, helper, target]) partyId(each);
      sized(randomness, 32, 'randomness');
      putSecrets([[0, share]]);
      put(32, randomness);
      checked(wasm.repairSplit(id, helper, target));
      const result = { kept: secretOut(0), sent: secretOut(32) };
      wasm.wipeOut();
      return result;
    },

    repairFinish({ sums, verifyingShare }) {
      sized(verifyingShare, 33, 'verifying share');
      putSecrets(sums.map((secret, i) => [32 * i, secret] as const));
      put(64, verifyingShare);
      checked(wasm.repairFinish());
      const share = secretOut(0);
      wasm.wipeOut();
      return share;
    },

    deriveChildrenVar(parent, tweaks) {
      sized(parent, 33, 'parent');
      for (const tweak of tweaks) sized(tweak, 32, 'tweak');
      return inParts(tweaks, MAX_KEYS, (part) => {
        put(0, parent);
        part.forEach((tweak, i) => {
          put(33 + 32 * i, tweak);
        });
        checked(wasm.deriveChildrenVar(part.length));
        return pointsOut(part.length);
      });
    },

    outputKeysVar(internalKeys, merkleRoot) {
      ensure(merkleRoot.length === 0 || merkleRoot.length === 32, 'BadEncoding', {
        detail: 'merkle root length',
      });
      for (const key of internalKeys) sized(key, 33, 'internal key');
      return inParts(internalKeys, MAX_KEYS, (part) => {
        put(0, merkleRoot);
        part.forEach((key, i) => {
          put(32 + 33 * i, key);
        });
        checked(wasm.outputKeysVar(part.length, merkleRoot.length));
        return pointsOut(part.length);
      });
    },

    verifyingSharesVar(groupKey, slope) {
      put(0, sized(groupKey, 33, 'group key'));
      put(33, sized(slope, 33, 'slope'));
      checked(wasm.verifyingSharesVar());
      return [out(0, 33), out(33, 33), out(66, 33)];
    },

    sumPointsVar(points) {
      ensure(points.length > 0 && points.length <= MAX_KEYS, 'TooLarge', { detail: 'points' });
      points.forEach((point, i) => {
        put(33 * i, sized(point, 33, 'point'));
      });
      checked(wasm.sumPointsVar(points.length));
      return out(0, 33);
    },
  };

  return { signer, memory: wasm.memory };
}

/** Native decoding where the engine has it: a loop over 150,000 characters is most of a cold start. */
function fromBase64(text: string): Uint8Array<ArrayBuffer> {
  const native = Uint8Array as unknown as { fromBase64?: (text: string) => Uint8Array<ArrayBuffer> };
  return native.fromBase64?.(text) ?? Uint8Array.from(atob(text), (c) => c.charCodeAt(0));
}

/** Compiles and instantiates at once: Node and workers. A Chromium page refuses modules of this size (RangeError). */
export function loadWasmSigner(): SignerModule {
  return instantiate(fromBase64(SIGNER_WASM));
}

function instantiate(wasm: Uint8Array<ArrayBuffer>): SignerModule {
  return createWasmSigner(new WebAssembly.Instance(new WebAssembly.Module(wasm), {})).signer;
}

/** For any place: at once where that is allowed, which spares a cold worker the way through another thread. */
export async function loadSignerWasm(): Promise<SignerModule> {
  const wasm = fromBase64(SIGNER_WASM);
  try {
    return instantiate(wasm);
  } catch (e) {
    if (!(e instanceof RangeError)) throw e;
    return createWasmSigner((await WebAssembly.instantiate(wasm, {})).instance).signer;
  }
}

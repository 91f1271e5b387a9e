/**
 * Mixed signing against a second implementation: our device with a cosigner over ZF `frost-secp256k1-tr`, and the other
 * way round, over random keys (made by our keygen and by their dealer in turn), tweaks and parities. Both sides aggregate
 * and both verify. `npm run test:peers -- --count 1000`
 */
import { type ChildProcessByStdio, spawn, spawnSync } from 'node:child_process';
import { createInterface } from 'node:readline';
import type { Readable, Writable } from 'node:stream';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { schnorr } from '@noble/curves/secp256k1.js';
import { bytesToHex, hexToBytes, randomBytes } from '@noble/hashes/utils.js';
import { load } from '../../src/crypto/load.ts';
import { Secret } from '../../src/crypto/secret.ts';
import type { KeyTweak, PartyId, Signer, SigningPackage } from '../../src/crypto/signer.ts';

const root = fileURLToPath(new URL('../../', import.meta.url));
const ANSWER_MS = 10_000;
const BUILD_MS = 15 * 60_000;
const IDS = [1, 2, 3] as const;
const { Fn } = schnorr.Point;
const hex = bytesToHex;

class Peer {
  readonly #child: ChildProcessByStdio<Writable, Readable, null>;
  readonly #lines: AsyncIterator<string>;

  constructor(binary: string) {
    this.#child = spawn(binary, { stdio: ['pipe', 'pipe', 'inherit'] });
    this.#lines = createInterface({ input: this.#child.stdout })[Symbol.asyncIterator]();
  }

  /** The answer's text after `ok`; throws on `error`, silence or death. */
  async ask(...fields: (string | number)[]): Promise<string> {
    this.#child.stdin.write(`${fields.join(' ')}\n`);
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<never>((_, reject) => {
      timer = setTimeout(() => reject(new Error(`no answer to ${fields[0]}`)), ANSWER_MS);
    });
    try {
      const { value, done } = await Promise.race([this.#lines.next(), late]);
      if (done) throw new Error(`the peer ended at ${fields[0]}`);
      if (!value.startsWith('ok')) throw new Error(`${fields[0]}: ${value}`);
      return value.slice(3);
    } finally {
      clearTimeout(timer);
    }
  }

  close(): void {
    this.#child.stdin.end();
    this.#child.kill();
  }
}

interface Key {
  readonly groupKey: Uint8Array;
  readonly shares: readonly Uint8Array[];
  readonly verifyingShares: readonly Uint8Array[];
}

function ourKey(signer: Signer): Key {
  const session = randomBytes(32);
  const parties = IDS.map((id) => signer.keygenCommit({ id, session, randomness: randomBytes(96) }));
  const commitments = parties.map((p) => p.commitment);
  const inboxes = IDS.map((to) =>
    IDS.filter((from) => from !== to).map((from) => ({
      from,
      share: signer.keygenShareFor(parties[from - 1]!.polynomial, to),
    })),
  );
  const results = IDS.map((id) =>
    signer.keygenFinish({
      id,
      polynomial: parties[id - 1]!.polynomial,
      commitments,
      subShares: inboxes[id - 1]!,
    }),
  );
  return {
    groupKey: results[0]!.groupKey,
    shares: results.map((r) => r.share.expose()),
    verifyingShares: results[0]!.verifyingShares,
  };
}

async function theirKey(peer: Peer): Promise<Key> {
  const [groupKey, ...rest] = (await peer.ask('deal')).split(' ').map((f) => Uint8Array.from(hexToBytes(f)));
  return { groupKey: groupKey!, shares: rest.slice(0, 3), verifyingShares: rest.slice(3) };
}

const secretOf = (bytes: Uint8Array) => Secret.own(Uint8Array.from(bytes));
const pick = <T>(list: readonly T[]): T => list[randomBytes(1)[0]! % list.length]!;

function randomTweak(): KeyTweak {
  const derivation = pick([
    new Uint8Array(32),
    Fn.toBytes(schnorr.Point.Fn.fromBytes(schnorr.utils.randomSecretKey())),
  ]);
  const path = pick(['key', 'key', 'leaf'] as const);
  const merkleRoot = path === 'key' ? pick([new Uint8Array(0), randomBytes(32)]) : new Uint8Array(0);
  return { derivation, path, merkleRoot };
}

function same(what: string, a: string, b: string): void {
  if (a !== b) throw new Error(`${what}: ${a} is not ${b}`);
}

/** One signature; `ours` and `theirs` are the ids the two sides play. Answers which parities it met. */
async function run(signer: Signer, peer: Peer, key: Key, weAsk: boolean): Promise<string> {
  const [ours, theirs] = pick(IDS.flatMap((a) => IDS.filter((b) => b !== a).map((b) => [a, b] as const)));
  const tweak = randomTweak();
  const message = randomBytes(32);
  const expected = await peer.ask(
    'party',
    theirs,
    hex(key.shares[theirs - 1]!),
    hex(key.groupKey),
    ...key.verifyingShares.map(hex),
    hex(tweak.derivation),
    tweak.path,
    tweak.merkleRoot.length === 0 ? '-' : hex(tweak.merkleRoot),
  );
  const { nonces, commitment } = signer.commit({
    share: secretOf(key.shares[ours - 1]!),
    randomness: randomBytes(64),
    context: randomBytes(40),
  });
  const theirCommitment = await peer.ask('commit');
  const pkg: SigningPackage = {
    groupKey: key.groupKey,
    tweak,
    expectedKey: hexToBytes(expected),
    message,
    commitments: [
      { id: ours, commitment },
      { id: theirs, commitment: hexToBytes(theirCommitment) },
    ],
  };
  const listed = [ours, hex(commitment), theirs, theirCommitment];
  const theirShare = async () => ({
    id: theirs as PartyId,
    verifyingShare: key.verifyingShares[theirs - 1]!,
    signatureShare: hexToBytes(await peer.ask('sign', hex(message), ...listed)),
  });
  const share = secretOf(key.shares[ours - 1]!);
  let ourShare: Uint8Array;
  let signature: Uint8Array;
  if (weAsk) {
    const answer = await theirShare();
    signature = signer.finish({ id: ours, share, nonces, package: pkg, peer: answer });
    // Our share left inside the signature only; what is left after taking theirs away must satisfy their aggregation.
    const z = Fn.fromBytes(signature.slice(32));
    ourShare = Fn.toBytes(Fn.sub(z, Fn.fromBytes(answer.signatureShare)));
    same(
      'their aggregation',
      await peer.ask(
        'aggregate',
        hex(message),
        ours,
        hex(commitment),
        hex(ourShare),
        theirs,
        theirCommitment,
        hex(answer.signatureShare),
      ),
      hex(signature),
    );
  } else {
    ourShare = signer.signShare({ id: ours, share, nonces, package: pkg });
    const answer = await theirShare();
    const theirSignature = await peer.ask(
      'aggregate',
      hex(message),
      ours,
      hex(commitment),
      hex(ourShare),
      theirs,
      theirCommitment,
      hex(answer.signatureShare),
    );
    signer.verifyShare({ ...answer, package: pkg });
    signature = signer.aggregate({ shares: [answer, { id: ours, signatureShare: ourShare }], package: pkg });
    same('our aggregation', hex(signature), theirSignature);
  }
  await peer.ask('verify', hex(message), hex(signature));
  if (!signer.schnorrVerify(pkg.expectedKey, message, signature)) throw new Error('we refuse the signature');
  return `${tweak.path}${tweak.merkleRoot.length === 0 ? '' : '+root'}, K0 ${key.groupKey[0] === 2 ? 'even' : 'odd'}`;
}

function build(): string | undefined {
  if (spawnSync('cargo', ['--version'], { stdio: 'ignore' }).status !== 0) return undefined;
  const target = `${root}.cache/peers`;
  const built = spawnSync(
    'cargo',
    ['build', '--release', '--locked', '--jobs', '1', '--manifest-path', `${root}test/peers/zf/Cargo.toml`],
    { stdio: 'inherit', timeout: BUILD_MS, env: { ...process.env, CARGO_TARGET_DIR: target } },
  );
  if (built.status !== 0) throw new Error('cargo is here but the peer does not build');
  return `${target}/release/zf-peer`;
}

async function main(): Promise<void> {
  const { values } = parseArgs({ options: { count: { type: 'string', default: '1000' } } });
  const count = Number(values.count);
  if (!Number.isSafeInteger(count) || count < 1) throw new Error('--count takes a positive number');
  const binary = build();
  if (binary === undefined) {
    console.log('skipped: mixed signing with ZF frost-secp256k1-tr (cargo is not installed)');
    console.log('0 passed, 0 failed, 1 skipped');
    return;
  }
  const signer = await load();
  const peer = new Peer(binary);
  const met = new Map<string, number>();
  let passed = 0;
  try {
    while (passed < count) {
      const key = passed % 4 < 2 ? ourKey(signer) : await theirKey(peer);
      const seen = await run(signer, peer, key, passed % 2 === 0);
      met.set(seen, (met.get(seen) ?? 0) + 1);
      passed++;
      if (passed % 100 === 0) console.log(`${passed} of ${count}`);
    }
  } finally {
    peer.close();
    for (const [what, times] of [...met].sort()) console.log(`  ${what}: ${times}`);
    console.log(`${passed} passed, ${passed === count ? 0 : 1} failed`);
  }
}

await main();

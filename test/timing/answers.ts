/**
 * Does the time of a refusal tell what is another's from what never was? Welch's t-test, in the manner of dudect, between ids that
 * nobody has and ids of another wallet, for each request that can name one, at a session over the real store, and for the page of a
 * contact's link, over TLS. The lookups without their cover are the controls, which must be caught.
 *   npm run test:answers -- [--samples 1500]
 */
import { readFileSync } from 'node:fs';
import { Agent, request as httpsRequest } from 'node:https';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { parseArgs } from 'node:util';
import { shownToContact } from '../../src/cosigner/acts.ts';
import { fetchCertificate } from '../../src/cosigner/keygen.ts';
import { contactLink } from '../../src/cosigner/notices.ts';
import { Session } from '../../src/cosigner/session.ts';
import { load } from '../../src/crypto/load.ts';
import { systemRandom } from '../../src/crypto/random.ts';
import { Secret } from '../../src/crypto/secret.ts';
import { SUITE } from '../../src/crypto/signer.ts';
import { ceremonyId, wordsActHash } from '../../src/policy/ceremony.ts';
import { type CeremonyAct, ceremonyAct, wordsAct } from '../../src/protocol/ceremony.ts';
import { encode } from '../../src/protocol/codec.ts';
import { PROTOCOL_VERSION } from '../../src/protocol/keygen.ts';
import type { Request } from '../../src/protocol/messages.ts';
import { generateNoiseKeyPair } from '../../src/protocol/noise.ts';
import {
  addressOf,
  attemptOf,
  type Bytes,
  Client,
  enrol,
  newDevice,
  payment,
  policyOf,
  removeFolder,
  signRequest,
  startCosigner,
  testFolder,
  testTls,
} from '../support/cosigner.ts';
import { AGAIN, compare, repeated } from './welch.ts';

/** How many are under way at a time: a covered refusal mostly waits. */
const LANES = 8;
const WARM_UP = 50;

const { values } = parseArgs({ options: { samples: { type: 'string', default: '1500' } } });
const samples = Number(values.samples);
if (!Number.isSafeInteger(samples) || samples < 500) throw new Error('--samples takes a number from 500');

interface Subject {
  readonly name: string;
  readonly leaking: boolean;
  /** Makes the request, which is not timed; what it answers is. */
  readonly prepare: (another: boolean) => () => Promise<unknown>;
}

const HUGE = { burst: 1e9, perMinute: 1e9 };
const folder = testFolder();
const running = await startCosigner({
  folder,
  // Nobody is told anything here: a contact need only be one that could be.
  contacts: { smtp: null, webhooks: { hosts: ['contact.example'], any: false } },
  limits: { device: HUGE, strangers: HUGE, decisions: { most: 1e6, inMs: 1 } },
});
const { cosigner } = running;
const signer = await load();
const random = (length = 32) => systemRandom(length);

/** Of whoever asks. */
const words = Secret.own(random());

/** Whose things are asked about: a wallet with a payment that waits, a ceremony, a token that was used. */
const token = await running.token();
const noise = await generateNoiseKeyPair();
const there = await Client.connect(addressOf(running), noise);
const policy = policyOf({
  hold: { above: 0n, delay: 3_600_000n },
  contact: 'https://contact.example/hook',
});
const other = { client: there, device: await enrol(there, noise, token, { policy }) };
const { body } = await attemptOf(other.client, other.device, payment(other.device, { amount: 1000n }));
const { ticket } = await other.client.ask(await signRequest(other.client, other.device, body), 'deferred');
const byWords = (host: Secret, act: CeremonyAct): Bytes => {
  const acted = encode(ceremonyAct, act);
  const hostKey = Uint8Array.from(signer.publicKey(host).subarray(1));
  const signature = Uint8Array.from(signer.schnorrSign(host, wordsActHash(acted), random()));
  return encode(wordsAct, { hostKey, act: acted, signature });
};
const purpose = {
  kind: 'replaceDevice',
  hostKey: Uint8Array.from(signer.publicKey(words).subarray(1)),
  noiseKey: random(),
} as const;
const opening: CeremonyAct = { kind: 'open', network: 'regtest', wallet: null, purpose, random: random(16) };
await other.client.ask(
  { kind: 'actByWords', message: byWords(other.device.recoveryHost, opening) },
  'ceremony',
);
const ceremony = ceremonyId(encode(ceremonyAct, opening));
const db = new DatabaseSync(join(folder, 'cosigner.sqlite'), { readOnly: true });
const session = Uint8Array.from(db.prepare('SELECT session FROM wallet').get()!.session as Uint8Array);
db.close();
const foreign = random();
running.chain.foreign.set(Buffer.from(foreign).toString('hex'), new Uint8Array(200));

/** Who asks: a stranger, and a wallet of its own, each with words of their own. */
const self = await newDevice(running);
const sessionOf = (deviceKey: Bytes) =>
  new Session(cosigner, {
    deviceKey,
    handshakeHash: random(),
    channelKey: cosigner.identity.channelKeys[0]!,
    address: 'timing',
  });
const greeted = async (deviceKey: Bytes): Promise<Session> => {
  const made = sessionOf(deviceKey);
  await made.handle({ kind: 'hello', version: PROTOCOL_VERSION, suite: SUITE, network: 'regtest' });
  return made;
};
const stranger = await greeted(random());
const owner = await greeted(self.device.noise.publicKey);

const subject = (name: string, asker: Session, requestOf: (another: boolean) => Request): Subject => ({
  name,
  leaking: false,
  prepare(another) {
    const request = requestOf(another);
    return () => asker.handle(request);
  },
});
/** Both classes come the same way into memory. */
function either(another: boolean, known: Bytes): Bytes {
  const made = random(known.length);
  if (another) made.set(known);
  return made;
}
const fetching = (another: boolean) =>
  ({ kind: 'keygenFetch', session: either(another, session), id: 1, proof: random(64) }) as const;
const covered: Subject[] = [
  subject('keygenFetch, session', stranger, fetching),
  subject('keygenHello, token', stranger, (another) => ({
    kind: 'keygenHello',
    token: another ? token : Buffer.from(random(16)).toString('base64url'),
    device: random(100),
    recovery: random(100),
  })),
  subject('repairOpen, ceremony', stranger, (another) => ({
    kind: 'repairOpen',
    ceremony: either(another, ceremony),
    hello: random(100),
  })),
  subject('actByWords, ceremony', stranger, (another) => ({
    kind: 'actByWords',
    message: byWords(words, {
      kind: 'say',
      ceremony: either(another, ceremony),
      says: 'contest',
      at: Date.now(),
    }),
  })),
];
/** The page of a link, as a browser asks for it. */
const agent = new Agent({ ca: readFileSync((await testTls).caFile), keepAlive: true, maxSockets: LANES });
const origin = `https://127.0.0.1:${running.listener.port}`;
const pageOf = (name: string, method: string, body: string): Subject => ({
  name,
  leaking: false,
  prepare(another) {
    const url = contactLink(origin, either(another, ceremony), random());
    return () =>
      new Promise((resolve, reject) => {
        const sent = httpsRequest(url, { method, agent }, async (response) => {
          let text = '';
          for await (const chunk of response) text += chunk;
          if (response.statusCode === 200) resolve(text);
          else reject(new Error(`${response.statusCode} ${text}`));
        });
        sent.on('error', reject);
        sent.end(body);
      });
  },
});
covered.push(
  pageOf('page of a link, ceremony', 'GET', ''),
  pageOf('its button, ceremony', 'POST', 'act=contest'),
);
const own: Subject[] = [
  subject('cancelHold, ticket', owner, (another) => ({
    kind: 'cancelHold',
    ticket: either(another, ticket),
  })),
  subject('transaction, txid', owner, (another) => ({
    kind: 'transaction',
    txid: either(another, foreign),
  })),
];
const controls: Subject[] = [
  {
    name: 'keygenFetch without its cover',
    leaking: true,
    prepare(another) {
      const [hash, request] = [random(), fetching(another)];
      return () => fetchCertificate(cosigner, hash, request);
    },
  },
  {
    name: 'page of a link without its cover',
    leaking: true,
    prepare(another) {
      const [id, code] = [either(another, ceremony), random()];
      return () => shownToContact(cosigner, id, code);
    },
  },
];

/** Milliseconds of each class, in an order that nothing can learn; every refusal must be the same in words. */
async function examine(
  { prepare }: Subject,
  lanes: number,
  count: number,
): Promise<[Float64Array, Float64Array]> {
  const times = { nobody: [] as number[], another: [] as number[] };
  const refusals = new Set<string>();
  const one = async (which: 'nobody' | 'another', keep: boolean) => {
    const ask = prepare(which === 'another');
    const started = performance.now();
    const refusal = await ask().then(
      () => 'granted',
      (e: Error) => e.message,
    );
    if (keep) times[which].push(performance.now() - started);
    refusals.add(refusal);
  };
  for (let i = 0; i < WARM_UP; i++) await one(i % 2 === 0 ? 'nobody' : 'another', false);
  const order = Array.from({ length: 2 * count }, (_, i) => i % 2)
    .map((which) => ({ which: which === 0 ? ('nobody' as const) : ('another' as const), at: Math.random() }))
    .sort((a, b) => a.at - b.at)
    .values();
  await Promise.all(
    Array.from({ length: lanes }, async () => {
      for (const { which } of order) await one(which, true);
    }),
  );
  if (refusals.size !== 1 || refusals.has('granted')) throw new Error(`answers: ${[...refusals].join('; ')}`);
  return [Float64Array.from(times.nobody), Float64Array.from(times.another)];
}

let failed = 0;
const run = async (each: Subject, lanes: number) => {
  const [nobody, another] = await examine(each, lanes, samples);
  let verdict = compare(nobody, another);
  if (verdict.leaks) verdict = repeated(verdict, compare(...(await examine(each, lanes, AGAIN * samples))));
  const { t, effect, leaks } = verdict;
  const good = leaks === each.leaking;
  if (!good) failed++;
  const said = each.leaking ? (leaks ? 'caught' : 'NOT CAUGHT') : leaks ? 'LEAKS' : 'ok';
  const mean = nobody.reduce((sum, ms) => sum + ms, 0) / nobody.length;
  console.log(
    `${each.name}, ${mean.toFixed(2)} ms: ${said} (t ${t.toFixed(1)}, ${(effect * 100).toFixed(2)} %)`,
  );
};
try {
  for (const each of controls) await run(each, 1);
  for (const each of own) await run(each, 1);
  for (const each of covered) await run(each, LANES);
} finally {
  agent.destroy();
  for (const { client } of [other, self]) await client.close();
  await running.stop();
  removeFolder(folder);
}
console.log(`${controls.length + own.length + covered.length - failed} passed, ${failed} failed`);
process.exitCode = failed === 0 ? 0 : 1;

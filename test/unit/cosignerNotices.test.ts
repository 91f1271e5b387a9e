/** What a contact is told, and by what: a real SMTP server and a real HTTPS server, the page of the link, and what survives a restart. */
import { createHmac } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { request } from 'node:https';
import { getCACertificates, setDefaultCACertificates } from 'node:tls';
import { afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { lookAtAll } from '../../src/cosigner/ceremonies.ts';
import type { Clock } from '../../src/cosigner/clock.ts';
import { deliverNotices } from '../../src/cosigner/delivery.ts';
import { sendEmail } from '../../src/cosigner/notify/email.ts';
import { durationText } from '../../src/cosigner/notify/text.ts';
import { isPublic, mayReach, SIGNATURE_HEADER } from '../../src/cosigner/notify/webhook.ts';
import { systemRandom } from '../../src/crypto/random.ts';
import { STEP_MAX_MS } from '../../src/policy/ceremony.ts';
import { generateNoiseKeyPair } from '../../src/protocol/noise.ts';
import { byDevice, byWords, newDeviceKeys, opening, saying } from '../support/ceremonies.ts';
import { type Hook, type MailServer, startHook, startMail } from '../support/contacts.ts';
import {
  addressOf,
  Client,
  newDevice,
  policyOf,
  type Running,
  removeFolder,
  START,
  type StartOptions,
  startCosigner,
  type TestDevice,
  testFolder,
  testTls,
} from '../support/cosigner.ts';

const MINUTE = 60_000;
const DAY = 24 * 60 * MINUTE;
const OWNER = 'friend@example.org';

let folder: string;
let running: Running;
let device: TestDevice;
let client: Client;
let stranger: Client;
let mail: MailServer;
let hook: Hook;
let now: number;
let options: StartOptions;
const clock: Clock = { now: () => now, monotonic: () => performance.now() };

beforeAll(async () => {
  const { caFile } = await testTls;
  setDefaultCACertificates([...getCACertificates('default'), readFileSync(caFile, 'utf8')]);
});
beforeEach(async () => {
  now = START;
  folder = testFolder();
  mail = await startMail();
  hook = await startHook();
  options = {
    folder,
    clock,
    contacts: { smtp: mail.setting, webhooks: { hosts: ['127.0.0.1'], any: false } },
  };
});
afterEach(async () => {
  await running?.stop();
  await mail.close();
  await hook.close();
  removeFolder(folder);
});

async function born(contact: string): Promise<void> {
  running = await startCosigner(options);
  ({ device, client } = await newDevice(running, policyOf({ contact })));
  stranger = await Client.connect(addressOf(running), await generateNoiseKeyPair());
}
async function restart(): Promise<void> {
  await running.stop();
  running = await startCosigner(options);
  client = await Client.connect(addressOf(running), device.noise);
  stranger = await Client.connect(addressOf(running), await generateNoiseKeyPair());
}
const begin = async () => (await byWords(stranger, device, opening(newDeviceKeys()))).ceremony;
const deliver = () => deliverNotices(running.cosigner);
async function pass(ms: number): Promise<void> {
  for (let passed = 0; passed < ms; passed += STEP_MAX_MS) {
    now += STEP_MAX_MS;
    await lookAtAll(running.cosigner);
  }
}
const linkIn = (text: string) => /https:\/\/\S+/.exec(text)![0];
const statusOf = async (id: Uint8Array<ArrayBuffer>) =>
  (await stranger.ask({ kind: 'ceremony', id }, 'ceremony')).ceremony;

describe('by e-mail', () => {
  test('the contact is told who asks for what and how long it has, over STARTTLS and by name and password', async () => {
    await born(`mailto:${OWNER}`);
    await begin();
    await deliver();
    expect(mail.mails).toHaveLength(1);
    const [{ from, to, user, secure, text }] = mail.mails as [(typeof mail.mails)[0]];
    expect({ from, to, user, secure }).toEqual({
      from: 'cosigner@example.org',
      to: [OWNER],
      user: 'cosigner',
      secure: true,
    });
    expect(text).toMatch(
      /^Subject: Hoarfrost wallet [0-9a-f]{4} [0-9a-f]{4}: somebody asks for a change\r$/m,
    );
    expect(text).toContain(
      'Somebody who has the recovery words of this wallet asks to let another browser take',
    );
    expect(text).toContain('If nobody stops it, it is allowed in 7 days.');
    expect(text).toContain(`https://127.0.0.1:${running.listener.port}/contact/`);
    // Once: what has arrived is not sent again.
    await deliver();
    expect(mail.mails).toHaveLength(1);
  });

  test.each([
    ['TLS from the first byte', { implicitTls: true }],
    ['no name', { auth: false }],
  ])('also with %s', async (_, how) => {
    await mail.close();
    mail = await startMail(how);
    options = { ...options, contacts: { smtp: mail.setting, webhooks: null } };
    await born(`mailto:${OWNER}`);
    await begin();
    await deliver();
    expect(mail.mails).toMatchObject([{ secure: true, to: [OWNER] }]);
  });

  test('never in clear, nor with a wrong password, nor to a server whose certificate is another’s', async () => {
    await born(`mailto:${OWNER}`);
    const plain = await startMail({ starttls: false, auth: false });
    const said = { subject: 's', text: 't' };
    await expect(sendEmail(plain.setting, OWNER, said)).rejects.toMatchObject({ code: 'ChannelClosed' });
    expect(plain.mails).toEqual([]);
    await plain.close();
    const auth = { user: 'cosigner', password: 'wrong' };
    await expect(sendEmail({ ...mail.setting, auth }, OWNER, said)).rejects.toMatchObject({
      code: 'ChannelClosed',
    });
    await expect(sendEmail({ ...mail.setting, host: '127.0.0.2' }, OWNER, said)).rejects.toMatchObject({
      code: 'ChannelClosed',
    });
    expect(mail.mails).toEqual([]);
  });

  test('again until it arrives: a server that refuses, is gone, or a cosigner that restarts loses nothing', async () => {
    await born(`mailto:${OWNER}`);
    mail.refusing = 'later';
    await begin();
    await deliver();
    expect(mail.mails).toEqual([]);
    // Not before its time, and not by two at once.
    mail.refusing = null;
    await deliver();
    expect(mail.mails).toEqual([]);
    await restart();
    now += 2 * MINUTE;
    await Promise.all([deliver(), deliver()]);
    expect(mail.mails).toHaveLength(1);
    // Neither log nor metrics name anybody.
    const said = running.logLines.join('') + running.cosigner.metrics.text();
    expect(said).not.toContain('example.org');
    expect(running.cosigner.metrics.text()).toContain('hoarfrost_notices_total{outcome="sent"} 1');
  });

  test('of what is said and comes of it, once a day while it waits, and of its end', async () => {
    await born(`mailto:${OWNER}`);
    const { id } = await begin();
    await deliver();
    await pass(3 * DAY);
    await deliver();
    const subjects = () => mail.mails.map(({ text }) => /^Subject: .*: (.*)\r$/m.exec(text)![1]);
    expect(subjects()).toEqual(['somebody asks for a change', ...Array(3).fill('a change is still waiting')]);
    await byDevice(client, device, saying({ id }, 'contest', now));
    await byWords(stranger, device, saying({ id }, 'contest', now));
    await deliver();
    // The last word comes last.
    expect(subjects().slice(4)).toEqual([
      'a change is contested',
      'a change is contested',
      'a change was stopped, or ran out',
    ]);
    expect(mail.mails.at(-1)!.text).not.toContain('/contact/');
    // Nothing more of what has ended.
    await pass(3 * DAY);
    await deliver();
    expect(mail.mails).toHaveLength(7);
    await byWords(
      stranger,
      device,
      { kind: 'freeze', network: 'regtest', random: systemRandom(16) },
      'frozen',
    );
    await deliver();
    expect(mail.mails.at(-1)!.text).toContain('the wallet was frozen');
  });
});

describe('by webhook', () => {
  test('a POST whose body is signed with the key that the wallet’s device knows', async () => {
    await born(hook.url);
    const { id } = await begin();
    await deliver();
    expect(hook.got).toHaveLength(1);
    const [{ headers, body, path }] = hook.got as [Hook['got'][0]];
    expect(path).toBe('/hook');
    const { webhookKey } = await client.ask({ kind: 'ceremonies' }, 'ceremonies');
    const signature = createHmac('sha256', webhookKey!).update(body).digest('hex');
    expect(headers[SIGNATURE_HEADER]).toBe(`sha256=${signature}`);
    expect(JSON.parse(body.toString())).toMatchObject({
      event: 'opened',
      wallet: Buffer.from(device.keys.wallet).toString('hex'),
      ceremony: Buffer.from(id).toString('hex'),
      purpose: 'replaceDevice',
      openedBy: 'words',
      phase: 'waiting',
      leftMs: 7 * DAY,
      link: expect.stringContaining('/contact/'),
    });
  });

  test.each([500, 404, 307])(
    'an answer of %i is no delivery, and a redirect is not followed',
    async (status) => {
      await born(hook.url);
      hook.status = status;
      await begin();
      await deliver();
      expect(hook.got.map(({ path }) => path)).toEqual(['/hook']);
      hook.status = 200;
      now += 2 * MINUTE;
      await deliver();
      await deliver();
      expect(hook.got).toHaveLength(2);
    },
  );

  test('reaches the hosts that are named, and with * what is public, and no network of the operator’s own', async () => {
    const any = { hosts: ['hooks.internal'], any: true };
    expect(mayReach(any, 'https://example.org/')).toBe(true);
    expect(mayReach(any, 'https://hooks.internal/')).toBe(true);
    expect(mayReach(any, 'https://10.0.0.1/')).toBe(false);
    expect(mayReach(any, 'https://[::1]/')).toBe(false);
    expect(mayReach({ hosts: [], any: false }, 'https://example.org/')).toBe(false);
    for (const own of [
      '127.0.0.1',
      '10.1.2.3',
      '172.31.0.1',
      '192.168.1.1',
      '169.254.169.254',
      '100.64.0.1',
      '0.0.0.0',
      '::1',
      '::',
      'fe80::1',
      'fd00::1',
      '::ffff:127.0.0.1',
      'no',
    ])
      expect([own, isPublic(own)]).toEqual([own, false]);
    for (const other of ['8.8.8.8', '172.32.0.1', '2606:4700::1'])
      expect([other, isPublic(other)]).toEqual([other, true]);
    // A name that leads home is looked up, and not connected to.
    options = { ...options, contacts: { smtp: null, webhooks: { hosts: [], any: true } } };
    await born(`https://localhost:${new URL(hook.url).port}/hook`);
    await begin();
    await deliver();
    expect(hook.got).toEqual([]);
  });
});

describe('the page of the link', () => {
  const ask = (url: string, how: { method?: string; body?: string } = {}) =>
    new Promise<{ status: number; headers: NodeJS.Dict<string | string[]>; text: string }>(
      (resolve, reject) => {
        const sent = request(
          url,
          { method: how.method ?? 'GET', headers: { 'content-type': 'application/x-www-form-urlencoded' } },
          async (response) => {
            let text = '';
            for await (const chunk of response) text += chunk;
            resolve({ status: response.statusCode!, headers: response.headers, text });
          },
        );
        sent.on('error', reject);
        sent.end(how.body);
      },
    );
  const post = (url: string, says: string) => ask(url, { method: 'POST', body: `act=${says}` });
  async function told(): Promise<{ id: Uint8Array<ArrayBuffer>; url: string }> {
    await born(`mailto:${OWNER}`);
    const { id } = await begin();
    await deliver();
    return { id, url: linkIn(mail.mails[0]!.text) };
  }

  test('looking, however often and by whatever reads mail, changes nothing; a button does', async () => {
    const { id, url } = await told();
    for (const method of ['GET', 'HEAD', 'GET']) expect((await ask(url, { method })).status).toBe(200);
    expect(await statusOf(id)).toMatchObject({ phase: 'waiting', contests: [] });
    const { text } = await ask(url);
    expect(text).toContain('Somebody who has the recovery words');
    expect(text).toContain('value="contest"');

    const contested = await post(url, 'contest');
    expect(contested.text).toContain('You have contested it.');
    expect(contested.text).not.toContain('value="contest"');
    expect(await statusOf(id)).toMatchObject({ phase: 'contested', contests: ['contact'] });
    now += MINUTE;
    expect((await post(url, 'approve')).text).toContain('You have agreed to it.');
    expect(await statusOf(id)).toMatchObject({ phase: 'ripe', approvals: ['words', 'contact'] });
  });

  test('words and contact act at once, device and contact end it at once', async () => {
    const { id, url } = await told();
    await byDevice(client, device, saying({ id }, 'contest', now));
    await post(url, 'contest');
    expect(await statusOf(id)).toMatchObject({ phase: 'void' });
    const late = await post(url, 'approve');
    expect(late.status).toBe(409);
    expect((await ask(url)).text).toContain('It has ended without effect.');
  });

  test('holds for one ceremony and one contact: every other link is one answer', async () => {
    const { id, url } = await told();
    const other = await begin();
    await deliver();
    const [, first, code] = /contact\/([\w-]+)\/([\w-]+)/.exec(url)!;
    const second = Buffer.from(other.id).toString('base64url');
    const unknown = await ask(url.replace(first!, 'A'.repeat(43)));
    expect(unknown.status).toBe(404);
    for (const wrong of [
      url.replace(first!, second),
      url.replace(code!, 'B'.repeat(43)),
      url.slice(0, -1),
      `${url}A`,
      `${url}/x`,
      `https://127.0.0.1:${running.listener.port}/contact/`,
    ]) {
      for (const answer of [await ask(wrong), await post(wrong, 'contest')])
        expect([wrong, answer.status, answer.text]).toEqual([wrong, 404, unknown.text]);
    }
    expect(await statusOf(id)).toMatchObject({ phase: 'waiting' });
    expect(await statusOf(other.id)).toMatchObject({ phase: 'waiting' });
  });

  test('takes two words and nothing else, has no script, and leaves nothing behind', async () => {
    const { id, url } = await told();
    const others = ['act=void', 'act=approve&act=contest', `act=contest${'x'.repeat(500)}`, ''];
    for (const body of [...others, 'constructor', '__proto__', 'toString'])
      expect([body, (await ask(url, { method: 'POST', body })).status]).toEqual([body, 400]);
    expect((await ask(url, { method: 'DELETE' })).status).toBe(405);
    expect(await statusOf(id)).toMatchObject({ phase: 'waiting' });
    const { headers, text } = await ask(url);
    expect(headers['content-security-policy']).toMatch(
      /^default-src 'none'; style-src 'sha256-[\w+/=]+'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'$/,
    );
    expect(headers['referrer-policy']).toBe('no-referrer');
    expect(headers['cache-control']).toBe('no-store');
    expect(text).not.toMatch(/<script|javascript:|\bon\w+=|href=|src=/);
    expect(running.logLines.join('')).not.toContain(url.split('/').at(-1));
  });

  test('of a cosigner that is restarted still leads there, and its code is in no database', async () => {
    const { id, url } = await told();
    const { port } = running.listener;
    await restart();
    const moved = url.replace(`:${port}/`, `:${running.listener.port}/`);
    const code = Buffer.from(url.split('/').at(-1)!, 'base64url');
    const file = Buffer.concat(
      ['cosigner.sqlite', 'cosigner.sqlite-wal'].map((name) => {
        try {
          return readFileSync(`${folder}/${name}`);
        } catch {
          return Buffer.alloc(0);
        }
      }),
    );
    expect(file.length).toBeGreaterThan(10_000);
    expect(file.includes(code)).toBe(false);
    await post(moved, 'contest');
    expect(await statusOf(id)).toMatchObject({ phase: 'contested' });
  });

  test('is counted against its address as every page is', async () => {
    options = { ...options, limits: { strangers: { burst: 60, perMinute: 1 } } };
    const { url } = await told();
    const statuses = [];
    for (let i = 0; i < 40; i++) statuses.push((await ask(url)).status);
    expect(statuses).toContain(429);
  });
});

test.each([
  [30 * DAY, '30 days'],
  [2 * DAY + 1, '3 days'],
  [2 * DAY, '48 hours'],
  [1, '1 hour'],
])('%i ms are %s', (ms, text) => {
  expect(durationText(ms)).toBe(text);
});

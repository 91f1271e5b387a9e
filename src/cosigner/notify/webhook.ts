/**
 * Notices by webhook: a POST of JSON over TLS, with HMAC-SHA256 of the body in a header. Wallets name the address, so the operator
 * names the hosts that may be reached, and an address on a network of the operator's own is reached only if it is named.
 */
import { createHmac } from 'node:crypto';
import { lookup } from 'node:dns';
import { request } from 'node:https';
import { BlockList, isIP } from 'node:net';
import { HoarfrostError } from '../../protocol/errors.ts';

const DEADLINE_MS = 15_000;
export const SIGNATURE_HEADER = 'hoarfrost-signature';

/** Hosts by name, or any that has a public address. */
export interface WebhookSetting {
  readonly hosts: readonly string[];
  readonly any: boolean;
}

/** Addresses that are not the public Internet's: RFC 6890. */
const OWN = new BlockList();
for (const [net, prefix] of [
  ['0.0.0.0', 8],
  ['10.0.0.0', 8],
  ['100.64.0.0', 10],
  ['127.0.0.0', 8],
  ['169.254.0.0', 16],
  ['172.16.0.0', 12],
  ['192.0.0.0', 24],
  ['192.168.0.0', 16],
  ['198.18.0.0', 15],
  ['224.0.0.0', 3],
] as const)
  OWN.addSubnet(net, prefix, 'ipv4');
for (const [net, prefix] of [
  ['::', 96],
  ['64:ff9b::', 32],
  ['100::', 64],
  ['fc00::', 7],
  ['fe80::', 10],
  ['ff00::', 8],
] as const)
  OWN.addSubnet(net, prefix, 'ipv6');

export function isPublic(address: string): boolean {
  const family = isIP(address);
  return family !== 0 && !OWN.check(address, family === 4 ? 'ipv4' : 'ipv6');
}

export function mayReach({ hosts, any }: WebhookSetting, url: string): boolean {
  const { hostname } = new URL(url);
  const host = hostname.replace(/^\[|\]$/g, '');
  return hosts.includes(host) || (any && (isIP(host) === 0 || isPublic(host)));
}

/** Rejects with `DeadlineExceeded` or `ChannelClosed` unless the other end answers 2xx; a redirect is not followed. */
export async function postWebhook(
  setting: WebhookSetting,
  url: string,
  body: object,
  key: Uint8Array,
): Promise<void> {
  const bytes = Buffer.from(JSON.stringify(body));
  const signature = createHmac('sha256', key).update(bytes).digest('hex');
  const named = setting.hosts.includes(new URL(url).hostname.replace(/^\[|\]$/g, ''));
  await new Promise<void>((resolve, reject) => {
    const fail = (code: 'ChannelClosed' | 'DeadlineExceeded', cause?: unknown) =>
      reject(new HoarfrostError(code, { detail: 'webhook', cause }));
    const sent = request(
      url,
      {
        method: 'POST',
        minVersion: 'TLSv1.2',
        agent: false,
        headers: {
          'content-type': 'application/json',
          'content-length': bytes.length,
          [SIGNATURE_HEADER]: `sha256=${signature}`,
        },
        // What is connected to is what was checked: the name is not looked up twice.
        lookup: (host, options, done) =>
          lookup(host, options, (e, address, family) => {
            const found = typeof address === 'string' ? [address] : address.map((each) => each.address);
            const barred = e === null && !named && !found.every(isPublic);
            done(barred ? new Error('not a public address') : e, address as string, family);
          }),
      },
      (response) => {
        response.destroy();
        clearTimeout(timer);
        const status = response.statusCode ?? 0;
        if (status >= 200 && status < 300) resolve();
        else fail('ChannelClosed');
      },
    );
    const timer = setTimeout(() => {
      fail('DeadlineExceeded');
      sent.destroy();
    }, DEADLINE_MS);
    sent.on('error', (e) => {
      clearTimeout(timer);
      fail('ChannelClosed', e);
    });
    sent.end(bytes);
  });
}

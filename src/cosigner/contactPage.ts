/**
 * The page where a contact agrees to a ceremony or contests it: the link of the notice. Looking changes nothing, so a mail server that
 * opens every link does no harm; a button does. It works without any script, and nothing of it is fetched from elsewhere.
 */
import { createHash } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { CeremonyView } from '../protocol/ceremony.ts';
import { isHoarfrostError } from '../protocol/errors.ts';
import { actByContact, shownToContact } from './acts.ts';
import type { Cosigner } from './cosigner.ts';
import { inEqualTime } from './equalTime.ts';
import { CONTACT_PATH } from './notices.ts';
import { askedFor, standing } from './notify/text.ts';
import type { Bytes } from './store.ts';

const BODY_MAX = 64;
const SAID = new Map([
  ['act=approve', 'approve'],
  ['act=contest', 'contest'],
] as const) as ReadonlyMap<string, 'approve' | 'contest'>;

const STYLE = `
:root { color-scheme: light dark; --ground: #f4f6f8; --card: #fff; --ink: #16202a; --soft: #51606f; --line: #d5dce3; --blue: #1b5fa8; --red: #a32d2d; }
@media (prefers-color-scheme: dark) { :root { --ground: #10161c; --card: #18212a; --ink: #e8eef4; --soft: #a3b1bf; --line: #33414e; --blue: #7db4f0; --red: #f09a9a; } }
* { box-sizing: border-box; }
body { margin: 0; min-height: 100vh; display: grid; place-items: center; padding: 24px; background: var(--ground); color: var(--ink); font: 17px/1.55 system-ui, sans-serif; }
main { width: 100%; max-width: 34rem; padding: 32px; background: var(--card); border: 1px solid var(--line); border-radius: 16px; }
p.brand { margin: 0 0 20px; color: var(--soft); font-size: 15px; }
h1 { margin: 0 0 16px; font-size: 25px; line-height: 1.25; }
p { margin: 0 0 14px; }
p.soft { color: var(--soft); font-size: 15px; margin: 20px 0 0; }
form { display: flex; flex-wrap: wrap; gap: 12px; margin-top: 24px; }
button { flex: 1 1 12rem; min-height: 48px; padding: 10px 18px; border-radius: 10px; border: 2px solid currentColor; background: none; font: inherit; font-weight: 600; cursor: pointer; }
button[value=contest] { color: var(--red); }
button[value=approve] { color: var(--blue); }
button:focus-visible { outline: 3px solid currentColor; outline-offset: 3px; }
`;
const HEADERS = {
  'content-type': 'text/html; charset=utf-8',
  'cache-control': 'no-store',
  'referrer-policy': 'no-referrer',
  'x-content-type-options': 'nosniff',
  'content-security-policy': `default-src 'none'; style-src 'sha256-${createHash('sha256').update(STYLE).digest('base64')}'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'`,
};

export function isContactPage({ url }: IncomingMessage): boolean {
  return url?.startsWith(CONTACT_PATH) === true;
}

/** Never rejects. A wrong link and one of a ceremony that never was are one answer. */
export async function serveContactPage(
  cosigner: Cosigner,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const answer = (status: number, page: string) => {
    response.writeHead(status, HEADERS);
    response.end(request.method === 'HEAD' ? '' : page);
  };
  try {
    const link = readLink(request.url ?? '');
    if (link === null) return answer(404, UNKNOWN);
    if (request.method === 'GET' || request.method === 'HEAD') {
      return answer(200, pageOf(await inEqualTime(() => shownToContact(cosigner, link.ceremony, link.code))));
    }
    if (request.method !== 'POST') return answer(405, UNKNOWN);
    const says = SAID.get(await bodyOf(request));
    if (says === undefined) return answer(400, UNKNOWN);
    answer(200, pageOf(await inEqualTime(() => actByContact(cosigner, { ...link, says }))));
  } catch (e) {
    const code = isHoarfrostError(e) ? e.code : 'Internal';
    if (code === 'CeremonyEnded') return answer(409, ENDED);
    if (code === 'SessionUnknown' || code === 'NotEnrolled') return answer(404, UNKNOWN);
    cosigner.log.warn('contact page failed', { code });
    answer(503, LATER);
  }
}

/** Exactly two parts, each the one base64url form of 32 bytes. */
function readLink(url: string): { ceremony: Bytes; code: Bytes } | null {
  const parts = url.slice(CONTACT_PATH.length).split('/');
  if (parts.length !== 2 || !parts.every((part) => /^[\w-]{43}$/.test(part))) return null;
  const [ceremony, code] = parts.map((part) => Uint8Array.from(Buffer.from(part, 'base64url')));
  return { ceremony: ceremony!, code: code! };
}

async function bodyOf(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  let length = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    length += chunk.length;
    if (length > BODY_MAX) return '';
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString('latin1');
}

function pageOf(view: CeremonyView): string {
  const own = view.contests.includes('contact')
    ? '<p>You have contested it.</p>'
    : view.approvals.includes('contact')
      ? '<p>You have agreed to it.</p>'
      : '';
  const open = view.phase !== 'done' && view.phase !== 'void';
  const contest = '<button name="act" value="contest">Stop it</button>';
  const approve = '<button name="act" value="approve">I asked the owner: it is wanted</button>';
  const buttons = `${view.contests.includes('contact') ? '' : contest}${view.approvals.includes('contact') ? '' : approve}`;
  return html(
    'Is this wanted?',
    `<p>${askedFor(view)}</p><p>${standing(view)}</p>${own}${
      open
        ? `<form method="post">${buttons}</form><p class="soft">Ask the owner first, and not by e-mail. If you cannot reach them, stop it: that can be undone, and nothing is lost by it.</p>`
        : ''
    }`,
  );
}

function html(title: string, body: string): string {
  return `<!doctype html><html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1"><meta name="robots" content="noindex"><title>${title}</title><style>${STYLE}</style></head><body><main><p class="brand">Hoarfrost cosigner</p><h1>${title}</h1>${body}</main></body></html>\n`;
}

const UNKNOWN = html(
  'This link leads nowhere',
  '<p>It may be cut off, or meant for another cosigner. Open it once more from the message that brought it.</p>',
);
const ENDED = html('This request has ended', '<p>Your answer came after its end and changed nothing.</p>');
const LATER = html('Something went wrong', '<p>Nothing was changed. Try again in a few minutes.</p>');

/** What a contact reads: plain words for somebody who may never have heard of a share. No amount, no address, no balance. */
import { bytesToHex } from '@noble/hashes/utils.js';
import type { CeremonyPurpose, CeremonyView } from '../../protocol/ceremony.ts';
import type { ContactNotice } from '../notices.ts';

const DAY_MS = 86_400_000;
const HOUR_MS = 3_600_000;

const ASKED: Record<CeremonyPurpose['kind'], string> = {
  replaceDevice: 'to let another browser take the place of the one that holds this wallet',
  replaceKit: 'to replace the recovery words by new ones',
  loosenPolicy: 'to allow this wallet more than its rules allow now',
};
const ASKER: Record<CeremonyView['openedBy'], string> = {
  device: 'The browser that holds this wallet',
  words: 'Somebody who has the recovery words of this wallet',
  contact: 'The contact of this wallet',
};

/** The beginning of a wallet's id: enough to tell one's own apart. */
export function walletName(wallet: Uint8Array): string {
  return bytesToHex(wallet.subarray(0, 4)).replace(/(....)(....)/, '$1 $2');
}

/** Who asks for what: one sentence. */
export function askedFor({ openedBy, purpose }: CeremonyView): string {
  return `${ASKER[openedBy]} asks ${ASKED[purpose.kind]}.`;
}

/** How it stands, in one or two sentences. */
export function standing({ phase, leftMs, approvals }: CeremonyView): string {
  const left = durationText(Number(leftMs));
  switch (phase) {
    case 'waiting':
      return `If nobody stops it, it is allowed in ${left}.`;
    case 'contested': {
      const words = approvals.includes('words') ? 'goes ahead' : 'ends without effect';
      return `It is contested, and the wallet signs nothing meanwhile. If no two of the three agree within ${left}, it ${words}.`;
    }
    case 'ripe':
      return `It is allowed, and holds for another ${left}.`;
    case 'done':
      return 'It has been done.';
    case 'void':
      return 'It has ended without effect.';
  }
}

const SUBJECTS: Record<ContactNotice['event'], string> = {
  opened: 'somebody asks for a change',
  approved: 'somebody agreed to a change',
  contested: 'a change is contested',
  ripe: 'a change is allowed now',
  done: 'a change was made',
  void: 'a change was stopped, or ran out',
  reminder: 'a change is still waiting',
  frozen: 'the wallet was frozen',
};

export interface NoticeText {
  readonly subject: string;
  readonly text: string;
}

export function noticeText({ event, wallet, ceremony, link }: ContactNotice): NoticeText {
  const lines = [`You are the contact of wallet ${walletName(wallet)}.`, ''];
  if (ceremony === null)
    lines.push(
      'It was frozen with its recovery words: it signs nothing until two of the three agree to lift that.',
    );
  else {
    lines.push(askedFor(ceremony), standing(ceremony));
    if (link !== null)
      lines.push(
        '',
        'Ask the owner, and not by e-mail: is this wanted?',
        'To agree, or to stop it, open this page:',
        link,
        '',
        'Whoever has this link can answer for you. It is of no use once the request has ended.',
      );
  }
  return {
    subject: `Hoarfrost wallet ${walletName(wallet)}: ${SUBJECTS[event]}`,
    text: `${lines.join('\n')}\n`,
  };
}

/** Rounded up: nobody is told to be late. */
export function durationText(ms: number): string {
  const unit = ms > 2 * DAY_MS ? DAY_MS : HOUR_MS;
  const count = Math.max(1, Math.ceil(ms / unit));
  const name = unit === DAY_MS ? 'day' : 'hour';
  return `${count} ${name}${count === 1 ? '' : 's'}`;
}

/** What a failure means on the recovery page, where it says something else than in the wallet. */
import type { ErrorCode } from '../../protocol/errors.ts';
import { type ErrorWords, wordsFor } from '../words.ts';

const HERE: Partial<Record<ErrorCode, ErrorWords>> = {
  BadEncoding: {
    happened: 'This message cannot be read.',
    safe: 'It was not used.',
    next: 'Make it again in the wallet. If it stays so, use a page and an extension of the same version.',
  },
  BadSignature: {
    happened: 'This request was not made by the device of this wallet.',
    safe: 'Nothing was signed, and no word was needed to find out.',
    next: 'Make the request again in the wallet. If it stays so, do not type your words for it.',
  },
  BadCertificate: {
    happened: 'The record of this wallet’s birth is not whole.',
    safe: 'Nothing was signed.',
    next: 'Make the message again in the wallet.',
  },
  EpochStale: {
    happened: 'The device asks with an older share than its records speak of.',
    safe: 'Nothing was signed.',
    next: 'Open the wallet, let it catch up, and make the request again.',
  },
  WrongSession: {
    happened: 'This is not the message that is due here.',
    safe: 'It was not used. The sitting goes on.',
    next: 'Take across the newest message that the wallet shows.',
  },
  TranscriptMismatch: {
    happened: 'The wallet brings other terms or another record than this page was shown.',
    safe: 'No wallet was made. Nothing of it was kept.',
    next: 'Begin again. If it happens a second time, do not use that browser.',
  },
};

export function wordsHere(code: ErrorCode): ErrorWords {
  return HERE[code] ?? wordsFor(code);
}

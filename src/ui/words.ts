/**
 * What every error says: what happened, what is safe, what to do next, in that order. No code in the sentence; the
 * code goes into the saved report.
 */
import type { ErrorCode } from '../protocol/errors.ts';

export interface ErrorWords {
  happened: string;
  safe: string;
  next: string;
}

const NOTHING_SIGNED = 'Nothing was signed. Nothing left your wallet.';
const MONEY_SAFE = 'Your money is safe.';
const NO_WALLET_MADE = 'No wallet was made.';

const STRANGE_MESSAGE: ErrorWords = {
  happened: 'A message came in a form that cannot be right.',
  safe: `It was not used. ${MONEY_SAFE}`,
  next: 'Try again. If it stays so, update this extension and your cosigner to the same version.',
};
const DIFFERENT_VERSION: ErrorWords = {
  happened: 'Your cosigner speaks another version than this browser.',
  safe: 'Nothing was exchanged but the greeting.',
  next: 'Update this extension and your cosigner, then try again.',
};
const KEYGEN_STOPPED: ErrorWords = {
  happened: 'The three shares did not agree on one record.',
  safe: `${NO_WALLET_MADE} Nothing of it was kept.`,
  next: 'Form the shares again. If it stops a second time, check the pairing link with whoever runs the cosigner.',
};
const SIGNATURE_WRONG: ErrorWords = {
  happened: 'Your cosigner answered with a signature that does not fit.',
  safe: NOTHING_SIGNED,
  next: 'Try again. If it stays so, ask whoever runs the cosigner.',
};
const START_SIGNING_AGAIN: ErrorWords = {
  happened: 'This attempt to sign is used up.',
  safe: 'One-time numbers are never used twice. Nothing was sent twice.',
  next: 'Send it again from Review; it starts with new one-time numbers.',
};

const WORDS: Record<ErrorCode, ErrorWords> = {
  BadEncoding: STRANGE_MESSAGE,
  TooLarge: {
    happened: 'A message was larger than either side accepts.',
    safe: `It was not used. ${MONEY_SAFE}`,
    next: 'If you were sending, send a smaller amount, so that fewer coins are needed.',
  },
  UnknownMessage: STRANGE_MESSAGE,
  WrongVersion: DIFFERENT_VERSION,
  WrongSuite: DIFFERENT_VERSION,

  BadDegree: KEYGEN_STOPPED,
  BadProof: KEYGEN_STOPPED,
  BadShare: {
    happened: 'A share that came in does not fit the key.',
    safe: `It was not used. ${MONEY_SAFE}`,
    next: 'Try again. If it stays so, ask whoever runs the cosigner.',
  },
  RepairedShareMismatch: {
    happened: 'The share that was made anew does not fit the key.',
    safe: 'It was thrown away. The shares that you have are as they were.',
    next: 'Try again. If it stays so, ask whoever runs the cosigner.',
  },
  RefreshInvalid: {
    happened: 'Your cosigner did not follow the rules for changing the shares.',
    safe: 'The change was dropped. Your key and addresses are as they were.',
    next: 'Try again. If it stays so, ask whoever runs the cosigner.',
  },
  HeadsDiffer: {
    happened: 'Your cosigner’s record of your shares is not the one in this browser.',
    safe: `The shares are left as they are until this is cleared up. ${MONEY_SAFE}`,
    next: 'Ask whoever runs the cosigner whether it was restored from an old copy. If nobody can tell, move to another cosigner.',
  },
  RecordsCorrupt: {
    happened: 'The records that lead to your recovery share are damaged.',
    safe: `Nothing was changed. ${MONEY_SAFE}`,
    next: 'Bring the other copy: a file of public records that you saved from the lost browser has it. Give it to the wallet before you make the new share.',
  },
  BadIdentifier: KEYGEN_STOPPED,
  BadCertificate: KEYGEN_STOPPED,
  BadSignature: SIGNATURE_WRONG,
  WrongSession: {
    happened: 'An answer belonged to an earlier attempt.',
    safe: 'It was not used. Nothing of the earlier attempt was kept.',
    next: 'Start again from here.',
  },
  WrongContext: KEYGEN_STOPPED,
  TranscriptMismatch: KEYGEN_STOPPED,
  Pending: {
    happened: 'Not all three have signed the record of your key yet.',
    safe: 'No address is shown before that, so no money can go astray.',
    next: 'Stay connected for a moment, then try again.',
  },
  SessionUnknown: {
    happened: 'Your cosigner no longer knows this attempt.',
    safe: 'It forgets unfinished attempts, so nothing of it is left.',
    next: 'Start again from here.',
  },
  NonceConsumed: START_SIGNING_AGAIN,
  KeyMismatch: {
    happened: 'An address of this payment is not the one that your key gives.',
    safe: NOTHING_SIGNED,
    next: 'Do not try again here. Lock the wallet and ask whoever runs the cosigner.',
  },
  MessageMismatch: {
    happened: 'Your cosigner read a different payment.',
    safe: `${NOTHING_SIGNED} Either this browser or the cosigner is showing something untrue.`,
    next: 'Do not try again here. Check the address on another device and lock this wallet.',
  },
  AttemptBurned: START_SIGNING_AGAIN,
  AttemptReused: START_SIGNING_AGAIN,
  EpochStale: {
    happened: 'This browser holds an old share. Your cosigner has moved on to a newer one.',
    safe: 'The old share cannot sign, so nothing can be sent from here.',
    next: 'If you restored an old browser profile, go back to the newer one. If that is gone, this browser needs a new share.',
  },

  WrongCosignerKey: {
    happened: 'Someone else answers in place of your cosigner.',
    safe: `${MONEY_SAFE} Nothing was said to them. This browser accepts only the fingerprint it knows.`,
    next: 'Compare the fingerprint with your cosigner’s own screen, and paste the link again. A wallet that is here already may have missed a change of it: ask whoever runs the cosigner to answer to the old one for a while, or go on with your words.',
  },
  ChannelKeyRefused: {
    happened: 'Your cosigner named another fingerprint, without a proof that holds now.',
    safe: `${MONEY_SAFE} Nothing else was said. This browser keeps the fingerprint it knows.`,
    next: 'Ask whoever runs the cosigner. If it was broken into, leave for another one with your words.',
  },
  ChannelClosed: {
    happened: 'The connection ended in the middle.',
    safe: 'Nothing was sent twice.',
    next: 'Try again.',
  },
  CosignerUnreachable: {
    happened: 'Your cosigner does not answer.',
    safe: 'Nothing was signed and nothing is lost.',
    next: 'Check your connection, that the cosigner runs, and that this browser trusts its certificate; then try again.',
  },
  DeadlineExceeded: {
    happened: 'It took too long, so the wallet stopped waiting.',
    safe: `${MONEY_SAFE} Nothing was sent twice.`,
    next: 'Try again.',
  },
  OutOfSequence: {
    happened: 'Messages came in the wrong order.',
    safe: 'They were not used.',
    next: 'Try again; it starts over with a fresh connection.',
  },
  TokenExpired: {
    happened: 'This pairing link has run out.',
    safe: `It was for one use. ${NO_WALLET_MADE}`,
    next: 'Ask your cosigner for a new link and paste it.',
  },
  TokenUnknown: {
    happened: 'Your cosigner does not know this pairing link, or it was used before.',
    safe: NO_WALLET_MADE,
    next: 'Ask your cosigner for a new link and paste it.',
  },
  NotEnrolled: {
    happened: 'Your cosigner does not know this browser.',
    safe: MONEY_SAFE,
    next: 'If another browser got a share in place of this one, go on there. Otherwise ask whoever runs the cosigner: its data may be lost.',
  },
  RateLimited: {
    happened: 'Your cosigner asks for a pause.',
    safe: 'Nothing was signed and your payment is kept.',
    next: 'Wait a moment, then try again.',
  },
  Unauthorised: {
    happened: 'Your cosigner did not accept the proof of this browser’s share.',
    safe: NOTHING_SIGNED,
    next: 'Lock and unlock the wallet, then try again.',
  },

  CeremonyEnded: {
    happened: 'This request has ended already.',
    safe: 'Nothing has changed.',
    next: 'Look at how it ended, and begin another one if you still need it.',
  },
  CeremonyWaits: {
    happened: 'This request still has to wait.',
    safe: 'Nothing has changed. The time goes by only while your cosigner runs.',
    next: 'Come back when its time is up, or have a second one of the three agree to it.',
  },
  DeviceBeingReplaced: {
    happened: 'Another device may take the place of this one now, so the shares stay as they are.',
    safe: MONEY_SAFE,
    next: 'If that is not your doing, stop it in Safety. Otherwise go on there.',
  },
  ContactUnavailable: {
    happened: 'Your cosigner cannot send messages to this contact.',
    safe: 'Nothing was changed.',
    next: 'Leave the contact empty or choose another one, or ask whoever runs the cosigner to set it up.',
  },

  BadAddress: {
    happened: 'This is not a Bitcoin address.',
    safe: 'A letter may be wrong or missing.',
    next: 'Paste it again.',
  },
  WrongNetwork: {
    happened: 'This belongs to another network.',
    safe: 'Money sent across networks would be lost, so it stops here.',
    next: 'Ask for an address, or a link, of the network that this wallet is on.',
  },
  Dust: {
    happened: 'This is less than the network carries.',
    safe: NOTHING_SIGNED,
    next: 'Send at least 330 sats.',
  },
  InsufficientFunds: {
    happened: 'There is not enough in this wallet, fee included.',
    safe: NOTHING_SIGNED,
    next: 'Send less, or send all. What is still arriving counts once it is in a block.',
  },
  BadAmount: {
    happened: 'This is not an amount.',
    safe: NOTHING_SIGNED,
    next: 'Write whole sats, or BTC with a point.',
  },
  BadFee: {
    happened: 'This fee rate cannot be used.',
    safe: NOTHING_SIGNED,
    next: 'Choose one of the rates, or write one that the network accepts.',
  },
  BadPsbt: {
    happened: 'The payment could not be read.',
    safe: NOTHING_SIGNED,
    next: 'Make it again from Send.',
  },
  ForeignInput: {
    happened: 'The payment would spend a coin that is not of this wallet.',
    safe: NOTHING_SIGNED,
    next: 'Make it again from Send.',
  },
  SighashRefused: {
    happened: 'The payment asks for a kind of signature that could be misused.',
    safe: NOTHING_SIGNED,
    next: 'Make it again from Send.',
  },
  PolicyRefused: {
    happened: 'Your cosigner refuses: it is outside your rules.',
    safe: NOTHING_SIGNED,
    next: 'Send less, or wait until the limit frees up.',
  },
  PolicyFull: {
    happened: 'The rules of this wallet have been changed as often as they can be.',
    safe: `The rules as they are stay in force. ${MONEY_SAFE}`,
    next: 'Freezing is always possible. For other rules, move to a new key.',
  },
  BroadcastRejected: {
    happened: 'Not sent yet by your cosigner; it says that the network did not take this payment.',
    safe: 'It is signed and may still be sent. The next payment spends one of its coins, so that only one of the two can happen.',
    next: 'Read the balance again. If it is still not sent, send it anew with a higher fee.',
  },
  RouteUnavailable: {
    happened: 'Your server for sending has not taken this payment.',
    safe: 'It is signed and kept. Your cosigner was not asked to send it, nor anybody else.',
    next: 'It is tried again by itself for ten minutes after your press. Look at the server under Settings, or send it by the cosigner.',
  },
  RouteRejected: {
    happened: 'Not sent yet: your server for sending says that the network does not take this payment.',
    safe: 'It is signed and may still be sent. The next payment spends one of its coins, so that only one of the two can happen.',
    next: 'Send it by the cosigner, or anew with a higher fee.',
  },
  MayPayTwice: {
    happened: 'An earlier payment to this address is signed and may still be sent.',
    safe: 'This one was not signed, so that nobody is paid twice.',
    next: 'Make it again from Send. If that stops too, look for the earlier one in Activity before you use another address.',
  },

  WrongPassword: {
    happened: 'That is not the password.',
    safe: 'Your share stays locked.',
    next: 'Type it again. Your recovery words do not belong here.',
  },
  SecurityKeyNeeded: {
    happened: 'This takes the password and your security key together.',
    safe: 'Your share stays locked.',
    next: 'Have the key at hand and try again.',
  },
  WeakPassword: {
    happened: 'This password is too easy to guess.',
    safe: NO_WALLET_MADE,
    next: 'Choose a longer one. Four plain words will do.',
  },
  BadWords: {
    happened: 'These are not the recovery words of this wallet.',
    safe: 'The share is not made before they fit.',
    next: 'Compare them with your paper, one by one.',
  },
  BadPairing: {
    happened: 'This is not a pairing link.',
    safe: 'Nothing was connected.',
    next: 'Copy it whole from your cosigner. It begins with hoarfrost:',
  },
  AlreadyPaired: {
    happened: 'This wallet already has a cosigner.',
    safe: 'It was not changed.',
    next: 'A pairing link is for a new wallet only.',
  },
  Locked: {
    happened: 'The wallet has locked itself.',
    safe: `${MONEY_SAFE} Nothing was sent.`,
    next: 'Unlock it and go on.',
  },
  NoWallet: {
    happened: 'There is no wallet in this browser yet.',
    safe: 'Nothing is missing.',
    next: 'Create one first.',
  },
  WalletExists: {
    happened: 'There is a wallet already: in this browser, or this same one at that cosigner.',
    safe: 'It was not touched.',
    next: 'In this browser, open it from the toolbar. A cosigner that you left takes the wallet back once it knows that you had left: unlock the wallet while it runs, then try again.',
  },
  VaultDamaged: {
    happened: 'Something that this browser stored was damaged or changed.',
    safe: 'Your words and your cosigner still hold two of the three shares.',
    next: 'Do not delete anything. Restart the browser and try again.',
  },
  OtherTab: {
    happened: 'Another tab is setting up the wallet.',
    safe: 'The two cannot get in each other’s way.',
    next: 'Go on in that tab, or close it and try again here.',
  },

  ChainUnavailable: {
    happened: 'Your cosigner cannot read the chain at present.',
    safe: `${MONEY_SAFE} What you see may be older than the newest block.`,
    next: 'Try again in a minute.',
  },
  StoreUnavailable: {
    happened: 'Your cosigner cannot reach its own records at present.',
    safe: NOTHING_SIGNED,
    next: 'Try again in a minute. If it stays so, ask whoever runs it.',
  },
  ShareUnrecoverable: {
    happened: 'Your cosigner has lost its share.',
    safe: 'This browser and your words still hold two of the three.',
    next: 'Ask whoever runs the cosigner. Until it has a share again, nothing can be sent from here.',
  },
  BadConfiguration: {
    happened: 'Your cosigner is not set up for this.',
    safe: MONEY_SAFE,
    next: 'Ask whoever runs it to look at its settings.',
  },
  Internal: {
    happened: 'Something went wrong inside the wallet.',
    safe: `${MONEY_SAFE} Nothing was sent twice.`,
    next: 'Try again. If it stays so, restart the browser.',
  },
};

/** A cosigner of a later version may send a code that is not ours: it reads as `Internal`. */
export function wordsFor(code: ErrorCode): ErrorWords {
  return Object.hasOwn(WORDS, code) ? WORDS[code] : WORDS.Internal;
}

export const ALL_CODES = Object.keys(WORDS) as ErrorCode[];

/** To a browser on its way back: there it is the wallet that is not known, not an attempt, or one in the way of another. */
export function wordsOnReturn(code: ErrorCode): ErrorWords {
  if (code === 'WalletExists') {
    return {
      happened: 'These words are of another wallet than the one in this browser.',
      safe: 'Neither was touched.',
      next: 'Get the other wallet back in another browser profile, or give up below and begin anew with the words of this one.',
    };
  }
  if (code === 'BadCertificate') {
    return {
      happened: 'The record of a wallet’s birth that came along is not of this wallet.',
      safe: 'It was not used.',
      next: 'If you gave a file of public records, look for the one of this wallet or go on without it. If not, ask whoever runs the cosigner.',
    };
  }
  if (code !== 'SessionUnknown') return wordsFor(code);
  return {
    happened: 'This cosigner has no wallet of these words.',
    safe: 'Nothing was changed.',
    next: 'Take your latest paper, and a link of the cosigner that you have now: words that were replaced, and a cosigner that was left, know nothing of it. Then give up below and begin anew.',
  };
}

/** Of a server of the user's own: an Esplora that takes transactions. `detail` as the device gives it. */
export function wordsOfServer(
  { code, detail }: { code: ErrorCode; detail: string },
  safe = 'Nothing of yours was sent.',
): ErrorWords {
  switch (code) {
    case 'ChainUnavailable':
      return { ...unavailable(detail), safe };
    case 'WrongNetwork':
      return {
        happened: 'This server is of another network than this wallet.',
        safe,
        next: 'Look for its address on the network that stands above.',
      };
    case 'BroadcastRejected':
      return {
        happened: 'This server says that the network does not take the payment.',
        safe,
        next: 'Ask another one. If they agree, make it anew with a higher fee.',
      };
    case 'BadConfiguration':
      return {
        happened: 'This address cannot be used.',
        safe,
        next: 'It begins with https:// and mostly ends in /api. Plain http:// is for this machine and for .onion alone.',
      };
    default:
      return wordsFor(code);
  }
}

function unavailable(detail: string): Omit<ErrorWords, 'safe'> {
  if (detail === 'connection') {
    return {
      happened: 'Nothing came from this server that this browser may read.',
      next: 'Look at its address, and whether it runs; an .onion needs a browser that goes through Tor. If it runs and names nobody who may read its answers (CORS), let this browser read them.',
    };
  }
  if (detail === 'deadline') {
    return { happened: 'This server does not answer in time.', next: 'Try again, or try another one.' };
  }
  if (detail === 'takes what cannot be') {
    return {
      happened: 'This server says that it took a transaction that nobody can take.',
      next: 'Use another one: what it says of yours would be worth as little.',
    };
  }
  return {
    happened: detail.startsWith('HTTP ')
      ? `It answers ${detail} where an Esplora server says more.`
      : 'It answers, but not as an Esplora server does.',
    next: 'Look at its address: it mostly ends in /api.',
  };
}

/** A rule of the policy that stopped or delayed a payment, by the name that the verdict carries (`policy/evaluate`). */
export function ruleWords(rule: string): string {
  switch (rule.replace(/:\d+$/, '')) {
    case 'window':
      return 'over daily limit';
    case 'perTransaction':
      return 'over the limit for one payment';
    case 'feeAbsolute':
      return 'the fee is over your cap';
    case 'feeRate':
      return 'the fee rate is over your cap';
    case 'payees':
      return 'an address that is not on your list';
    case 'frozen':
      return 'the wallet is frozen';
    case 'contested':
      return 'somebody contests a change of this wallet, and nothing is signed until that is settled';
    case 'unseen':
      return 'too much is signed and not yet seen on the chain';
    case 'hold':
      return 'over the amount that waits';
    default:
      return 'outside your rules';
  }
}

/**
 * The one error of the house. Its `code` is stable: tests, logs and the saved report use it; the words on
 * screen belong to `ui` (what happened, what is safe, what to do next).
 */
export type ErrorCode =
  // encodings and limits
  | 'BadEncoding' // a point, scalar, id, length or message that is not its one canonical form
  | 'TooLarge' // over a limit of protocol/limits
  | 'UnknownMessage'
  | 'WrongVersion'
  | 'WrongSuite'
  // keygen and signing
  | 'BadDegree'
  | 'BadProof'
  | 'BadShare'
  | 'BadIdentifier'
  | 'BadCertificate'
  | 'BadSignature'
  | 'WrongSession'
  | 'WrongContext' // ciphertext for another session, sender, recipient or transcript
  | 'TranscriptMismatch'
  | 'Pending' // no full certificate yet: no address
  | 'SessionUnknown'
  | 'NonceConsumed'
  | 'KeyMismatch' // derived key is not the expected one
  | 'MessageMismatch' // the cosigner read another payment than the one shown
  | 'AttemptBurned'
  | 'AttemptReused'
  | 'EpochStale'
  | 'RepairedShareMismatch' // the helpers' sums are not the lost share
  | 'RefreshInvalid' // a refresh, or its record, does not follow from the epoch before it
  | 'HeadsDiffer' // the cosigner's chain of records is not the device's
  | 'RecordsCorrupt' // no copy of the records leads to recovery's share
  // channel and enrolment
  | 'WrongCosignerKey'
  | 'ChannelKeyRefused' // no statement of the cosigner's signing key, or no newer one
  | 'ChannelClosed'
  | 'CosignerUnreachable'
  | 'DeadlineExceeded'
  | 'OutOfSequence'
  | 'TokenExpired'
  | 'TokenUnknown'
  | 'NotEnrolled'
  | 'RateLimited'
  | 'Unauthorised'
  // ceremonies
  | 'CeremonyEnded'
  | 'CeremonyWaits' // not ripe yet
  | 'DeviceBeingReplaced' // another device may take this one's place now
  | 'ContactUnavailable' // a way to reach the contact that this cosigner does not have
  // money
  | 'BadAddress'
  | 'WrongNetwork'
  | 'Dust'
  | 'InsufficientFunds'
  | 'BadAmount'
  | 'BadFee'
  | 'BadPsbt'
  | 'ForeignInput'
  | 'SighashRefused'
  | 'PolicyRefused'
  | 'PolicyFull' // no further version of it but a freeze
  | 'BroadcastRejected'
  | 'RouteUnavailable' // the server of the user's own that is to send transactions did not take one
  | 'RouteRejected' // it says that the network does not
  | 'MayPayTwice' // an earlier payment to this payee is signed and may still be sent
  // device
  | 'WrongPassword'
  | 'WeakPassword'
  | 'SecurityKeyNeeded' // the vault is also locked with a security key, or with none
  | 'BadWords'
  | 'BadPairing'
  | 'AlreadyPaired'
  | 'Locked'
  | 'NoWallet'
  | 'WalletExists'
  | 'VaultDamaged'
  | 'OtherTab'
  // servers
  | 'ChainUnavailable'
  | 'StoreUnavailable'
  | 'ShareUnrecoverable'
  | 'BadConfiguration'
  | 'Internal';

/** Who is to blame, where a signature or a share proves it. A party id of 1..3. */
export type Culprit = 1 | 2 | 3;

export interface ErrorDetails {
  culprit?: Culprit;
  /** For logs and the saved report: never user data, never a secret, never an address. */
  detail?: string;
  /** Milliseconds after which a retry makes sense. */
  retryAfterMs?: number;
  cause?: unknown;
}

export class HoarfrostError extends Error {
  readonly code: ErrorCode;
  readonly culprit: Culprit | undefined;
  readonly detail: string | undefined;
  readonly retryAfterMs: number | undefined;

  constructor(code: ErrorCode, details: ErrorDetails = {}) {
    super(details.detail === undefined ? code : `${code}: ${details.detail}`, {
      cause: details.cause,
    });
    this.name = 'HoarfrostError';
    this.code = code;
    this.culprit = details.culprit;
    this.detail = details.detail;
    this.retryAfterMs = details.retryAfterMs;
  }
}

/** Throws `code` unless `condition` holds. */
export function ensure(condition: boolean, code: ErrorCode, details?: ErrorDetails): asserts condition {
  if (!condition) throw new HoarfrostError(code, details);
}

export function isHoarfrostError(e: unknown): e is HoarfrostError {
  return e instanceof HoarfrostError;
}

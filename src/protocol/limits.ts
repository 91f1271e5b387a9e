/** Every bound that both ends of a wire hold each other to. */

/** A Noise message with its 16-byte tag; the plaintext is what is left. */
export const NOISE_MESSAGE_MAX = 65_535;
export const NOISE_PLAINTEXT_MAX = NOISE_MESSAGE_MAX - 16;

export const PSBT_MAX = 1 << 20;
/** A whole request or answer after its parts are joined: a PSBT and what rides beside it. */
export const MESSAGE_MAX = PSBT_MAX + (128 << 10);

/** Bytes of a text that is signed for an address. */
export const SIGNED_TEXT_MAX = 4096;
export const INPUTS_MAX = 500;
export const OUTPUTS_MAX = 500;
export const POLICY_MAX = 4096;
/** A policy with its signatures. */
export const SIGNED_POLICY_MAX = POLICY_MAX + 512;
/** Versions of one policy: the cosigner reads and verifies all of them at every evaluation. */
export const POLICY_VERSIONS_MAX = 256;
/** Those among them that the device makes alone; the rest are for who has another authenticator too. */
export const POLICY_VERSIONS_ALONE_MAX = 128;
export const WINDOWS_MAX = 8;
export const PAYEES_MAX = 64;
/** Payments of one wallet that wait at a time. */
export const HOLDS_MAX = 100;
/** Ceremonies of one wallet that a device is told of: those under way, and the latest that have ended. */
export const CEREMONIES_MAX = 32;
export const COINS_MAX = 5000;
export const HISTORY_MAX = 1000;

/** How far past the last used index an own output may lie (DESIGN section 4). */
export const GAP_OWN_OUTPUT = 1000;
/** How many unused addresses in a row end a scan. */
export const GAP_SCAN = 20;

/** A transport is replaced by a fresh handshake after this long. */
export const REHANDSHAKE_MS = 10 * 60_000;
export const HANDSHAKE_DEADLINE_MS = 10_000;
export const REQUEST_DEADLINE_MS = 30_000;
/** A keygen session lives no longer than this in the cosigner's memory. */
export const KEYGEN_DEADLINE_MS = 10 * 60_000;
/** A refresh lives no longer than this in the cosigner's memory. */
export const REFRESH_DEADLINE_MS = 2 * 60_000;
/** A repair lives no longer than this in the cosigner's memory: a person carries messages to the recovery page in between. */
export const REPAIR_DEADLINE_MS = 10 * 60_000;
/** Nonces of a live attempt survive a reconnect of the same worker this long. */
export const NONCE_LIFETIME_MS = 30_000;
/** A pressed request goes on by itself after a restart within this long; later it asks again. */
export const RESUME_PRESSED_MS = 10 * 60_000;
/** Changes of the shares in one wallet's life, as they travel to the recovery page: monthly for fifty years. */
export const RECORDS_MAX = 600;
/** A message between device and recovery page: a PSBT and all records. */
export const OFFLINE_MAX = 2 << 20;
/** How long the device waits for the recovery page with its nonces: a person types words in between. */
export const OFFLINE_NONCE_LIFETIME_MS = 60 * 60_000;

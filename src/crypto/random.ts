/** Fresh bytes from the host's generator; handed in wherever randomness is used, so that transcripts can be replayed. */
export type Random = (length: number) => Uint8Array<ArrayBuffer>;

export const systemRandom: Random = (length) => crypto.getRandomValues(new Uint8Array(length));

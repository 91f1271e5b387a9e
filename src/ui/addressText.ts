/** How addresses, ids and fingerprints are written: groups of four; the first and last two groups carry the comparison. */

export interface AddressGroup {
  text: string;
  /** One of the four that are to be compared. */
  key: boolean;
}

export function addressGroups(address: string): AddressGroup[] {
  const groups = groupsOfFour(address);
  return groups.map((text, i) => ({ text, key: i < 2 || i >= groups.length - 2 }));
}

/** The first and last two groups, so that the short form reads like the whole one. Null if it would save nothing. */
export function shortGroups(address: string): { head: string[]; tail: string[] } | null {
  const groups = groupsOfFour(address);
  return groups.length <= 5 ? null : { head: groups.slice(0, 2), tail: groups.slice(-2) };
}

export function shortText(text: string): string {
  const short = shortGroups(text);
  return short === null ? groupsOfFour(text).join(' ') : `${short.head.join(' ')} … ${short.tail.join(' ')}`;
}

/** A hex fingerprint in pairs of groups of four. */
export function fingerprintPairs(hex: string): string[] {
  const groups = groupsOfFour(hex);
  const pairs: string[] = [];
  for (let i = 0; i < groups.length; i += 2) pairs.push(groups.slice(i, i + 2).join(' '));
  return pairs;
}

function groupsOfFour(text: string): string[] {
  return text.match(/.{1,4}/g) ?? [];
}

export interface PaymentTarget {
  address: string;
  /** Sats that the link asks for. */
  amount: bigint | null;
}

/**
 * What was typed or pasted as recipient: an address, spaces allowed, or a `bitcoin:` link (BIP-21) with address and
 * amount. Null if the link cannot be honoured: a required part we do not know, or an amount that is none.
 * Whether the address is one is the device's to say.
 */
export function readTarget(text: string): PaymentTarget | null {
  const bare = text.trim();
  const link = /^bitcoin:([^?]*)(?:\?(.*))?$/i.exec(bare);
  if (link === null) return { address: bare.replace(/\s/g, ''), amount: null };
  const parts = new URLSearchParams(link[2] ?? '');
  if ([...parts.keys()].some((key) => key.toLowerCase().startsWith('req-'))) return null;
  const asked = parts.get('amount');
  if (asked === null) return { address: link[1] ?? '', amount: null };
  const places = /^(\d{1,8})(?:\.(\d{1,8}))?$/.exec(asked);
  if (places === null || parts.getAll('amount').length > 1) return null;
  const amount = BigInt(places[1] ?? '0') * 100_000_000n + BigInt((places[2] ?? '').padEnd(8, '0'));
  return { address: link[1] ?? '', amount };
}

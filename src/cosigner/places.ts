/**
 * Places of which there are few, for those who have not shown yet that they belong here. When all are taken, whoever holds most of
 * them gives up its oldest, and a newcomer from there is turned away instead: first between sites, then between the addresses of
 * one. So a flood from anywhere makes room only for itself.
 */
import { siteOf } from './limits.ts';

export class Places<T> {
  readonly #most: number;
  readonly #giveUp: (holder: T) => void;
  /** Oldest first. */
  readonly #taken = new Map<T, string>();

  constructor(most: number, giveUp: (holder: T) => void) {
    this.#most = most;
    this.#giveUp = giveUp;
  }

  get size(): number {
    return this.#taken.size;
  }

  /** `address`: as `addressName` gives it. */
  hasRoomFor(address: string): boolean {
    if (this.#taken.size < this.#most) return true;
    const site = siteOf(address);
    const all = [...this.#taken];
    const between = counts(all.map(([, from]) => siteOf(from)));
    const mostOfSites = Math.max(...between.values());
    const others = (between.get(site) ?? 0) < mostOfSites;
    const among = others
      ? all.filter(([, from]) => between.get(siteOf(from)) === mostOfSites)
      : all.filter(([, from]) => siteOf(from) === site);
    const within = counts(among.map(([, from]) => from));
    const most = Math.max(...within.values());
    if (!others && (within.get(address) ?? 0) >= most) return false;
    const [oldest] = among.find(([, from]) => within.get(from) === most)!;
    this.#taken.delete(oldest);
    this.#giveUp(oldest);
    return true;
  }

  add(holder: T, address: string): void {
    this.#taken.set(holder, address);
  }

  leave(holder: T): void {
    this.#taken.delete(holder);
  }
}

function counts(names: readonly string[]): Map<string, number> {
  const found = new Map<string, number>();
  for (const name of names) found.set(name, (found.get(name) ?? 0) + 1);
  return found;
}

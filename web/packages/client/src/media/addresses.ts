// Addresses of private media end at full hours. This renews them when they are needed, with one request for all that
// are asked for together.

import { addressEndsMs, type Medium } from './medium.ts';

/** An address that ends within this time counts as over: its bytes must still arrive. */
const MARGIN_MS = 60_000;
/** Time in which media are gathered into one request. */
const GATHER_MS = 20;
/** Media of one request. */
const BATCH_MAX = 50;
/** Renewed media that are kept; the one renewed first makes room. */
const MEDIA_MAX = 500;

/** Returns media anew by their digests; those that are gone are left out. May reject. */
export type Renew = (digests: string[]) => Promise<Medium[]>;

export class Addresses {
  #fresh = new Map<string, Medium>();
  #waiting = new Map<string, ((medium: Medium | null) => void)[]>();
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(
    private readonly renew: Renew,
    private readonly nowMs: () => number = Date.now,
  ) {}

  /** Returns a medium whose addresses can be used now; null for one that is gone, or while no server answers. */
  async of(medium: Medium): Promise<Medium | null> {
    const known = [this.#fresh.get(medium.digest), medium].find((one) => one && !this.#isOver(one));
    if (known) return known;
    return new Promise((resolve) => {
      this.#waiting.set(medium.digest, [...(this.#waiting.get(medium.digest) ?? []), resolve]);
      this.#timer ??= setTimeout(() => void this.#ask(), GATHER_MS);
    });
  }

  #isOver({ variants }: Medium): boolean {
    const ends = variants.flatMap(({ url }) => addressEndsMs(url) ?? []);
    return ends.length > 0 && Math.min(...ends) - MARGIN_MS <= this.nowMs();
  }

  async #ask(): Promise<void> {
    this.#timer = undefined;
    const all = [...this.#waiting];
    this.#waiting.clear();
    for (let at = 0; at < all.length; at += BATCH_MAX) {
      const batch = all.slice(at, at + BATCH_MAX);
      const found = await this.renew(batch.map(([digest]) => digest)).catch(() => []);
      for (const medium of found) this.#keep(medium);
      for (const [digest, listeners] of batch) {
        const medium = found.find((one) => one.digest === digest) ?? null;
        for (const resolve of listeners) resolve(medium);
      }
    }
  }

  #keep(medium: Medium): void {
    this.#fresh.delete(medium.digest);
    this.#fresh.set(medium.digest, medium);
    const [oldest] = this.#fresh.keys();
    if (this.#fresh.size > MEDIA_MAX && oldest !== undefined) this.#fresh.delete(oldest);
  }
}

// The order in which the page tries its uplinks: that of entry, corrected by what this page saw. Pure; it
// passes the vectors that the Rust client passes (services/client/vectors/uplink-order.json).

/** Time for which an uplink that did not answer is tried last. */
const FAILED_MS = 60_000;
/** Time for which a race time counts. The page measures every ten minutes. */
const RACED_MS = 20 * 60_000;
/** Race times that differ by less are equal: entry's order, which spreads the load, decides there. */
const STEP_MS = 25;

interface Seen {
  failedAtMs: number | null;
  raced: { elapsedMs: number; atMs: number } | null;
}

export class UplinkOrder {
  #named: string[] = [];
  #seen = new Map<string, Seen>();

  /** Takes the uplinks in the order of entry. What is known of others is forgotten, which bounds the memory. */
  name(named: readonly string[]): void {
    this.#named = [...new Set(named)];
    for (const url of this.#seen.keys()) if (!this.#named.includes(url)) this.#seen.delete(url);
  }

  /** Notes that no server of Barrage answered at this uplink, or that it could not work. */
  failed(atMs: number, url: string): void {
    const seen = this.#of(url);
    if (seen) seen.failedAtMs = atMs;
  }

  /** Notes an answer of this uplink, a refusal included. */
  answered(url: string): void {
    const seen = this.#of(url);
    if (seen) seen.failedAtMs = null;
  }

  /** Notes the result of a race: its time, or null when the uplink did not arrive. */
  raced(atMs: number, url: string, elapsedMs: number | null): void {
    if (elapsedMs === null) return this.failed(atMs, url);
    const seen = this.#of(url);
    if (seen) seen.raced = { elapsedMs, atMs };
  }

  /**
   * Returns the uplinks in the order to try. First those that answer: by race time in steps of 25 ms beyond
   * the fastest, an unmeasured one as the fastest, equal ones as entry named them. Then those that failed
   * within a minute, the oldest failure first.
   */
  order(nowMs: number): string[] {
    const racedMs = (url: string): number | null => {
      const raced = this.#seen.get(url)?.raced;
      return raced && nowMs - raced.atMs < RACED_MS ? raced.elapsedMs : null;
    };
    const fastest = Math.min(...this.#named.map((url) => racedMs(url) ?? Infinity));
    const keyed = this.#named.map((url) => {
      const failedAt = this.#seen.get(url)?.failedAtMs ?? null;
      const raced = racedMs(url);
      const hasFailed = failedAt !== null && nowMs - failedAt < FAILED_MS;
      return { url, failedAt: hasFailed ? failedAt : -1, steps: hasFailed || raced === null ? 0 : Math.floor((raced - fastest) / STEP_MS) };
    });
    // A sort in JavaScript keeps the order of equal elements.
    return keyed.sort((a, b) => a.failedAt - b.failedAt || a.steps - b.steps).map(({ url }) => url);
  }

  #of(url: string): Seen | null {
    if (!this.#named.includes(url)) return null;
    const seen = this.#seen.get(url) ?? { failedAtMs: null, raced: null };
    this.#seen.set(url, seen);
    return seen;
  }
}

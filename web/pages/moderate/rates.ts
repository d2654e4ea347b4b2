// Rates over a sliding time, in steps of one second. Pure: the time is passed in.

export class Rate {
  readonly #counts: number[];
  #second = 0;

  /** Keeps the counts of `secs` seconds. */
  constructor(private readonly secs: number) {
    this.#counts = Array.from({ length: secs }, () => 0);
  }

  add(count: number, nowMs: number): void {
    this.#turn(nowMs);
    this.#counts[this.#second % this.secs]! += count;
  }

  /** Returns the sum of the last `secs` seconds. */
  sum(nowMs: number): number {
    this.#turn(nowMs);
    return this.#counts.reduce((sum, count) => sum + count, 0);
  }

  perSecond(nowMs: number): number {
    return this.sum(nowMs) / this.secs;
  }

  #turn(nowMs: number): void {
    const second = Math.floor(nowMs / 1_000);
    // A clock that was set back counts on in the present second.
    const steps = Math.min(Math.max(second - this.#second, 0), this.secs);
    for (let step = 1; step <= steps; step += 1) this.#counts[(second - steps + step) % this.secs] = 0;
    this.#second = Math.max(second, this.#second);
  }
}

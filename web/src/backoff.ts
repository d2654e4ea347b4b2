// Exponential ceilings with full jitter, so that many viewers who lost the
// server together do not come back together.

/** Ceilings stop doubling here; 2^16 times any sensible base is above every maximum. */
const DOUBLINGS_MAX = 16;

export class Backoff {
  #attempt = 0;

  constructor(
    private baseMs: number,
    private maxMs: number,
  ) {}

  /** Failures in a row so far. */
  get attempt(): number {
    return this.#attempt;
  }

  limits(baseMs: number, maxMs: number): void {
    this.baseMs = baseMs;
    this.maxMs = maxMs;
  }

  /** How long to wait before the next attempt, in milliseconds. */
  next(): number {
    const ceiling = Math.min(this.maxMs, this.baseMs * 2 ** Math.min(this.#attempt, DOUBLINGS_MAX));
    this.#attempt += 1;
    return Math.random() * ceiling;
  }

  reset(): void {
    this.#attempt = 0;
  }
}

export function sleep(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

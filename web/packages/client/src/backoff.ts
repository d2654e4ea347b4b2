// Exponential backoff with full jitter, so that viewers who lost the server at the same moment do
// not reconnect at the same moment.

/** Doublings of the ceiling, at most: 2^16 times any sensible base is above every maximum. */
const DOUBLINGS_MAX = 16;

export class Backoff {
  #attempt = 0;

  constructor(
    private baseMs: number,
    private maxMs: number,
  ) {}

  /** Consecutive failures so far. */
  get attempt(): number {
    return this.#attempt;
  }

  limits(baseMs: number, maxMs: number): void {
    this.baseMs = baseMs;
    this.maxMs = maxMs;
  }

  /** Returns the wait before the next attempt, in milliseconds, and counts a failure. */
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

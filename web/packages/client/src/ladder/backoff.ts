// Exponential backoff with full jitter, so that viewers who lost the server at the same moment do
// not reconnect at the same moment.

/** Doublings of the ceiling, at most: 2^16 times any sensible base is above every maximum. */
const DOUBLINGS_MAX = 16;

/** Bounds of what a server may ask for: without a pause, a broken server would get a storm. */
const BASE_MS_MIN = 20;
const MAX_MS_MAX = 10 * 60_000;

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
    this.baseMs = Math.max(baseMs, BASE_MS_MIN);
    this.maxMs = Math.min(Math.max(maxMs, this.baseMs), MAX_MS_MAX);
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

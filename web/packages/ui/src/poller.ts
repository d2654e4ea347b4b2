// Repeats one call while the page is visible. After failures it waits longer, up to a bound.

import { ApiFailure } from './api.ts';

const PERIOD_MS = 1_500;
const BACKOFF_MAX_MS = 15_000;

export interface PollState {
  /** When the newest answer arrived, by `performance.now()`; null before the first one. */
  answeredAt: number | null;
  failure: ApiFailure | null;
  /** When the next call is due, by `performance.now()`; null while a call runs or the page is hidden. */
  nextAt: number | null;
}

export class Poller<T> {
  readonly state: PollState = { answeredAt: null, failure: null, nextAt: null };
  #timer: number | undefined;
  #failures = 0;
  #running = false;
  #stopped = false;

  constructor(
    private readonly call: () => Promise<T>,
    private readonly answered: (answer: T) => void,
    private readonly failed: (failure: ApiFailure) => void,
    private readonly periodMs = PERIOD_MS,
  ) {
    document.addEventListener('visibilitychange', this.#visibility);
  }

  /** Calls at once, unless a call runs. */
  now(): void {
    clearTimeout(this.#timer);
    if (!this.#running && !this.#stopped) void this.#run();
  }

  stop(): void {
    this.#stopped = true;
    clearTimeout(this.#timer);
    document.removeEventListener('visibilitychange', this.#visibility);
  }

  readonly #visibility = (): void => {
    if (document.hidden) {
      clearTimeout(this.#timer);
      this.state.nextAt = null;
    } else this.now();
  };

  async #run(): Promise<void> {
    this.#running = true;
    this.state.nextAt = null;
    try {
      const answer = await this.call();
      if (this.#stopped) return;
      this.#failures = 0;
      this.state.failure = null;
      this.state.answeredAt = performance.now();
      this.answered(answer);
    } catch (error) {
      if (!(error instanceof ApiFailure)) throw error;
      if (this.#stopped) return;
      this.#failures += 1;
      this.state.failure = error;
      this.failed(error);
    } finally {
      this.#running = false;
      this.#schedule();
    }
  }

  #schedule(): void {
    if (this.#stopped || document.hidden) return;
    const backoff = Math.min(this.periodMs * 2 ** this.#failures, BACKOFF_MAX_MS);
    const wait = Math.max(backoff, this.state.failure?.retryAfterMs ?? 0);
    this.state.nextAt = performance.now() + wait;
    this.#timer = setTimeout(() => void this.#run(), wait);
  }
}

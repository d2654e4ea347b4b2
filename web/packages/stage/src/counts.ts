// Numbers of a stage: each offered danmaku is in exactly one of the others.

export interface Counts {
  /** Danmaku that the page passed to the stage. */
  offered: number;
  shown: number;
  /** Danmaku that another one with an equal text shows as well. */
  merged: number;
  /** Danmaku that found no lane in time. */
  missed: number;
  /** Danmaku that the viewer's settings hide. */
  filtered: number;
  /** Danmaku that came while the page or the stage was hidden, and texts with no letters. */
  unseen: number;
  /** Danmaku that were recalled or purged while they waited for a lane. */
  withdrawn: number;
  /** Danmaku that wait for a lane now. */
  waiting: number;
}

export function noCounts(): Counts {
  return { offered: 0, shown: 0, merged: 0, missed: 0, filtered: 0, unseen: 0, withdrawn: 0, waiting: 0 };
}

/** The number of recently missed danmaku starts again after this time without one. */
const KEPT_MS = 10_000;

/** Counts the danmaku that were missed of late, for the viewer. Pure: the time is an argument. */
export class Missed {
  #count = 0;
  #lastMs = -Infinity;

  add(count: number, nowMs: number): void {
    if (count === 0) return;
    this.#count += count;
    this.#lastMs = nowMs;
  }

  /** Returns the number of danmaku missed until the last pause of ten seconds. */
  at(nowMs: number): number {
    if (nowMs - this.#lastMs > KEPT_MS) this.#count = 0;
    return this.#count;
  }

  clear(): void {
    this.#count = 0;
  }
}

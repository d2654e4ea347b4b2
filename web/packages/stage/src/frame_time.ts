// Lowers the density of danmaku while the page is late with its frames. Pure: times are arguments.

/** Smallest share of the usual number of danmaku. */
const SHARE_MIN = 0.4;
/** Change of the share by a late frame and by a frame in time: late ones of more than 6 % lower it. */
const LATE_STEP = 0.03;
const IN_TIME_STEP = 0.002;
/** A longer pause is no late frame: the page was hidden or the stage was empty. */
const PAUSE_MS = 1_000;

export class FrameTime {
  #share = 1;
  #lastMs = -Infinity;

  /** Share of the usual number of danmaku that the page has time for, from 0.4 to 1. */
  get share(): number {
    return this.#share;
  }

  /** Counts a frame that should come each `everyMs`. */
  frame(nowMs: number, everyMs: number): void {
    const passedMs = nowMs - this.#lastMs;
    this.#lastMs = nowMs;
    if (passedMs < 0 || passedMs > PAUSE_MS) return;
    const late = passedMs > 2 * everyMs + 16;
    this.#share = Math.min(1, Math.max(SHARE_MIN, this.#share + (late ? -LATE_STEP : IN_TIME_STEP)));
  }
}

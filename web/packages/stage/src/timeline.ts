// Danmaku with times, as in a recording: which are due, and which come before a moment. Pure.

import { type Danmaku } from './danmaku.ts';

export interface Timed extends Danmaku {
  /** Time in the recording, in milliseconds. */
  atMs: number;
}

export class Timeline {
  readonly #items: readonly Timed[];
  /** Index of the first danmaku that is not due. */
  #next = 0;

  constructor(items: readonly Timed[]) {
    this.#items = items.filter((item) => Number.isFinite(item.atMs)).sort((a, b) => a.atMs - b.atMs);
  }

  /** Reports whether later danmaku exist. */
  get more(): boolean {
    return this.#next < this.#items.length;
  }

  /** Moves to a time: danmaku from there on are due later. */
  seek(atMs: number): void {
    this.#next = this.#indexOf(atMs);
  }

  /** Returns the danmaku that are due until now, each once, in the order of their times. */
  take(nowMs: number): readonly Timed[] {
    const from = this.#next;
    let to = from;
    while (to < this.#items.length && this.#items[to]!.atMs <= nowMs) to += 1;
    this.#next = to;
    return from === to ? [] : this.#items.slice(from, to);
  }

  /** Index of the first danmaku at or after a time. */
  #indexOf(atMs: number): number {
    let low = 0;
    let high = this.#items.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.#items[middle]!.atMs < atMs) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}

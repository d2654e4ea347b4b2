// Notices of one viewer: each is given out once and acknowledged, although the server repeats it.

import type { Notice } from '../protocol/frames.ts';

/** Acknowledgements wait this long for each other; one frame has at most `ACK_MAX`. */
const ACK_DELAY_MS = 200;
const ACK_MAX = 64;
/** Notices to remember, because the server repeats a notice until it is acknowledged. */
const NOTICED_MAX = 256;

export class Notices {
  #acks: number[] = [];
  #noticed = new Set<number>();
  #timer: number | undefined;

  constructor(private readonly acknowledge: (sequences: number[]) => void) {}

  /** Takes a notice. Returns false for one that came before, on this link or before a move. */
  take({ sequence }: Notice): boolean {
    if (this.#acks.length === 0) this.#timer = setTimeout(() => this.#send(), ACK_DELAY_MS);
    this.#acks.push(sequence);
    if (this.#acks.length >= ACK_MAX) this.#send();
    if (this.#noticed.has(sequence)) return false;
    this.#noticed.add(sequence);
    const [oldest] = this.#noticed;
    if (this.#noticed.size > NOTICED_MAX && oldest !== undefined) this.#noticed.delete(oldest);
    return true;
  }

  close(): void {
    clearTimeout(this.#timer);
  }

  #send(): void {
    clearTimeout(this.#timer);
    this.acknowledge(this.#acks);
    this.#acks = [];
  }
}

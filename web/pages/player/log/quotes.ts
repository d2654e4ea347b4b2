// Texts of messages that replies quote and this page does not hold: they come out of the history, one at a time.

import { type Written } from '@barrage/client';

/** Messages that wait to be read. With more the oldest is dropped: its reply shows the name alone. */
const WAITING_MAX = 20;
/** Answers to remember, those of missing messages included. The oldest is forgotten. */
const KNOWN_MAX = 200;
/** Least time between two requests. */
const PAUSE_MS = 400;

export class Quotes {
  #known = new Map<number, Written | null>();
  #waiting: number[] = [];
  #isReading = false;

  /** `read` returns a message of the history, `undefined` where it cannot be read now; `found` gets a message that is there. */
  constructor(
    private readonly read: (sequence: number) => Promise<Written | null | undefined>,
    private readonly found: (sequence: number) => void,
  ) {}

  /** Returns a message that was read; null for another one, which is then read. */
  of(sequence: number): Written | null {
    const known = this.#known.get(sequence);
    if (known === undefined && !this.#waiting.includes(sequence)) {
      this.#waiting.push(sequence);
      if (this.#waiting.length > WAITING_MAX) this.#waiting.shift();
      void this.#work();
    }
    return known ?? null;
  }

  /** Forgets the messages that are hidden from now on. */
  hide(hides: (sequence: number, body: Written) => boolean): void {
    for (const [sequence, body] of this.#known) if (body && hides(sequence, body)) this.#known.set(sequence, null);
  }

  async #work(): Promise<void> {
    if (this.#isReading) return;
    this.#isReading = true;
    // The rows of one frame ask first.
    await Promise.resolve();
    for (let sequence = this.#waiting[0]; sequence !== undefined; sequence = this.#waiting[0]) {
      const body = await this.read(sequence);
      this.#waiting = this.#waiting.filter((one) => one !== sequence);
      if (body !== undefined) {
        this.#known.set(sequence, body);
        if (this.#known.size > KNOWN_MAX) this.#known.delete(this.#known.keys().next().value!);
        if (body) this.found(sequence);
      }
      await new Promise((resolve) => setTimeout(resolve, PAUSE_MS));
    }
    this.#isReading = false;
  }
}

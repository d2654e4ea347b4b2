// The newest entries of the room, kept whatever part of the history the reader looks at. Pure.

import { type Entry, type Message, sequenceOf } from './entry.ts';

export class Ring {
  #entries: Entry[] = [];

  constructor(private readonly max: number) {}

  get entries(): readonly Entry[] {
    return this.#entries;
  }

  push(entry: Entry): void {
    this.#entries.push(entry);
    if (this.#entries.length > this.max) this.#entries.shift();
  }

  /** Puts older entries in front, as many as there is room for. */
  prepend(entries: readonly Entry[]): void {
    const room = this.max - this.#entries.length;
    if (room > 0) this.#entries.unshift(...entries.slice(-room));
  }

  /** Returns the entries behind a position; null when entries between may be missing. */
  after(sequence: number): Entry[] | null {
    const first = this.#entries.findIndex((entry) => sequenceOf(entry) !== null);
    if (first < 0) return this.#entries.slice();
    // A ring with room left has lost nothing since it was filled.
    if (sequence < (sequenceOf(this.#entries[first]) ?? 0)) return null;
    let from = 0;
    for (const [index, entry] of this.#entries.entries()) {
      const at = sequenceOf(entry);
      if (at !== null && at <= sequence) from = index + 1;
    }
    return this.#entries.slice(from);
  }

  /** Returns the messages for which the condition holds. */
  messages(holds: (message: Message) => boolean): Message[] {
    return this.#entries.filter((entry): entry is Message => entry.kind === 'message' && holds(entry));
  }

  remove(holds: (entry: Entry) => boolean): void {
    this.#entries = this.#entries.filter((entry) => !holds(entry));
  }

  clear(): void {
    this.#entries = [];
  }
}

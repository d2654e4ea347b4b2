// Entries that wait for the next frame of the list. When too many wait, chat of other people is skipped first,
// and its number stands in the list; gifts, super chats and own messages stay as long as there is any chat to skip. Pure.

import { type Entry, sequenceOf } from './entry.ts';

export class Backlog {
  #entries: Entry[] = [];
  /** Stands where the first skipped message stood; null while none was skipped. */
  #skipped: { kind: 'leftOut'; count: number } | null = null;

  constructor(private readonly max: number) {}

  get entries(): readonly Entry[] {
    return this.#entries;
  }

  push(entry: Entry): void {
    this.#entries.push(entry);
    while (this.#entries.length > this.max) this.#skip();
  }

  /** Returns the entries in their order, and forgets them. */
  take(): Entry[] {
    const entries = this.#entries;
    this.clear();
    return entries;
  }

  remove(holds: (entry: Entry) => boolean): void {
    this.#entries = this.#entries.filter((entry) => entry === this.#skipped || !holds(entry));
  }

  /** Removes the messages up to a position, which the list has already. */
  removeUpTo(sequence: number): void {
    this.remove((entry) => (sequenceOf(entry) ?? Infinity) <= sequence);
  }

  clear(): void {
    this.#entries = [];
    this.#skipped = null;
  }

  #skip(): void {
    const chat = this.#entries.findIndex(isChatOfOthers);
    const at = chat >= 0 ? chat : this.#entries.findIndex((entry) => entry.kind !== 'leftOut');
    if (this.#skipped) {
      this.#entries.splice(at, 1);
    } else {
      this.#skipped = { kind: 'leftOut', count: 0 };
      this.#entries.splice(at, 1, this.#skipped);
    }
    this.#skipped.count += 1;
  }
}

function isChatOfOthers(entry: Entry): boolean {
  return entry.kind === 'message' && entry.body.type === 'chat' && entry.origin === 'other';
}

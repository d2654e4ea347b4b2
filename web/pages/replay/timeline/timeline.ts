// The messages of a recording in their order: by offset, and of one offset in the order of arrival. Pure.

import { type Message } from './message.ts';

export class Timeline {
  #messages: Message[] = [];
  readonly #ids = new Set<string>();

  get all(): readonly Message[] {
    return this.#messages;
  }

  /** Adds messages, and leaves out those whose id is there. Returns the number of new ones. */
  add(messages: readonly Message[]): number {
    const fresh = messages.filter(({ id }) => !this.#ids.has(id) && this.#ids.add(id));
    if (fresh.length === 0) return 0;
    const sorted = isSorted(fresh) ? fresh : [...fresh].sort((a, b) => a.offsetMs - b.offsetMs);
    const last = this.#messages.at(-1);
    if (!last || last.offsetMs <= sorted[0]!.offsetMs) this.#messages = this.#messages.concat(sorted);
    else this.#messages = merged(this.#messages, sorted);
    return fresh.length;
  }

  /** Number of messages before a moment. */
  before(ms: number): number {
    let low = 0;
    let high = this.#messages.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.#messages[middle]!.offsetMs < ms) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  /** Messages from `fromMs` to before `toMs`, in order. */
  between(fromMs: number, toMs: number): Message[] {
    return this.#messages.slice(this.before(fromMs), this.before(toMs));
  }

  /** The newest messages before a moment, at most `max`, oldest first. */
  latest(ms: number, max: number): Message[] {
    const end = this.before(ms);
    return this.#messages.slice(Math.max(0, end - max), end);
  }

  /** Offset of the last message; 0 without one. */
  get endMs(): number {
    return this.#messages.at(-1)?.offsetMs ?? 0;
  }
}

function isSorted(messages: readonly Message[]): boolean {
  return messages.every((message, at) => at === 0 || messages[at - 1]!.offsetMs <= message.offsetMs);
}

/** Merges two ordered lists; of one offset those of `old` come first. */
function merged(old: readonly Message[], fresh: readonly Message[]): Message[] {
  const all: Message[] = [];
  let at = 0;
  for (const message of fresh) {
    while (at < old.length && old[at]!.offsetMs <= message.offsetMs) all.push(old[at++]!);
    all.push(message);
  }
  for (; at < old.length; at += 1) all.push(old[at]!);
  return all;
}

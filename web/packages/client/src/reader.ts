// Batches that wait for a loop over a room. A slow loop loses chat, which is counted; gifts and signals wait.

import type { RoomBatch } from './events.ts';

/** Batches that wait for one loop. Beyond, the chat of the oldest ones is dropped. */
const BATCHES_MAX = 256;
/** Gifts and signals that wait in one batch of what was too slow. Beyond, the oldest are dropped. */
const KEPT_MAX = 4_096;

export class Reader implements AsyncIterator<RoomBatch> {
  #waiting: RoomBatch[] = [];
  #take: ((result: IteratorResult<RoomBatch>) => void) | null = null;
  #isDone = false;

  constructor(private readonly ended: (reader: Reader) => void) {}

  push(batch: RoomBatch): void {
    const take = this.#take;
    this.#take = null;
    if (take) return take({ done: false, value: batch });
    this.#waiting.push(batch);
    const [oldest, next] = this.#waiting;
    if (this.#waiting.length > BATCHES_MAX && oldest && next) this.#waiting.splice(0, 2, merged(oldest, next));
  }

  next(): Promise<IteratorResult<RoomBatch>> {
    const value = this.#waiting.shift();
    if (value) return Promise.resolve({ done: false, value });
    if (this.#isDone) return Promise.resolve({ done: true, value: undefined });
    return new Promise((resolve) => (this.#take = resolve));
  }

  return(): Promise<IteratorResult<RoomBatch>> {
    this.#waiting = [];
    this.end();
    return Promise.resolve({ done: true, value: undefined });
  }

  /** Ends the loop behind what waits. */
  end(): void {
    this.#isDone = true;
    this.#take?.({ done: true, value: undefined });
    this.#take = null;
    this.ended(this);
  }
}

function merged(oldest: RoomBatch, next: RoomBatch): RoomBatch {
  const all = [...oldest.messages, ...next.messages];
  const kept = all.filter((message) => message.class !== 'chat').slice(-KEPT_MAX);
  return { messages: kept, missed: oldest.missed + next.missed + all.length - kept.length };
}

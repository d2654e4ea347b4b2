// Puts the batches of a room in order. Each batch covers the positions (previous, sequence]. Where
// positions are missing, the chain asks for them, and later batches wait. Pure: the connection owns
// the clock and the socket.

import type { Batch, BatchMessage, Hello } from './frames.ts';

/** Batches that wait behind a gap. With more than this the connection starts again and resumes. */
const HELD_MAX = 256;
/** Delivered messages to remember, for a server whose chain is behind ours. The oldest is forgotten. */
const RECENT_MAX = 1024;

export interface Range {
  after: number;
  before: number;
}

export interface Step {
  /** New messages, in chain order. */
  messages: BatchMessage[];
  /** Number of chat messages that the server dropped under load. */
  leftOut: number;
  /** Number of chat messages that a repair or a resume skipped. */
  skipped: number;
  /** Part of the gap is older than the messages that the server keeps. */
  gone: boolean;
  /** Range to ask the server for now. */
  repair: Range | null;
  /** Too many batches wait: the connection must start again. */
  overflow: boolean;
}

export class Chain {
  #last: number | null = null;
  #held: Batch[] = [];
  #asked: Range | null = null;
  #resumeUntil: number | null = null;
  #recent = new Set<string>();

  /** Last delivered position; null before the first hello. */
  get last(): number | null {
    return this.#last;
  }

  /** Reports whether a gap is open: a repair or a resume is not complete. */
  get waiting(): boolean {
    return this.#asked !== null || this.#resumeUntil !== null;
  }

  /** Starts on a new connection. A server whose chain is behind ours is followed from its position. */
  hello(hello: Hello): Step {
    const step = emptyStep();
    this.#held = [];
    this.#asked = null;
    this.#resumeUntil = null;
    if (this.#last === null || hello.sequence < this.#last) {
      this.#last = hello.sequence;
    } else if (hello.resume && hello.sequence > this.#last) {
      this.#resumeUntil = hello.sequence;
    } else if (hello.sequence > this.#last) {
      this.#asked = { after: this.#last, before: hello.sequence + 1 };
      step.repair = this.#asked;
    }
    return step;
  }

  accept(batch: Batch): Step {
    const step = emptyStep();
    if (batch.repair || batch.previous <= (this.#last ?? 0)) {
      this.#take(batch, step);
    } else {
      this.#held.push(batch);
      this.#held.sort((a, b) => a.previous - b.previous);
    }
    this.#drain(step);
    const last = this.#last ?? 0;
    if (batch.repair && this.#asked && last > this.#asked.after) {
      // The server cuts long answers: the rest is asked for.
      this.#asked = { after: last, before: this.#asked.before };
      step.repair = this.#asked;
    }
    step.overflow = this.#held.length > HELD_MAX;
    return step;
  }

  /** Range that was asked for and is still open; null while only a resume is open. */
  get asked(): Range | null {
    return this.#asked;
  }

  /** Continues behind the gap, because the server cannot fill it. */
  skip(): Step {
    const step = emptyStep();
    step.gone = true;
    if (this.#asked) this.#last = Math.max(this.#last ?? 0, this.#asked.before - 1);
    this.#asked = null;
    this.#resumeUntil = null;
    this.#drain(step);
    return step;
  }

  #drain(step: Step): void {
    for (let next = this.#held[0]; next && next.previous <= (this.#last ?? 0); next = this.#held[0]) {
      this.#held.shift();
      this.#take(next, step);
    }
    const last = this.#last ?? 0;
    if (this.#asked && last >= this.#asked.before - 1) this.#asked = null;
    if (this.#resumeUntil !== null && last >= this.#resumeUntil) this.#resumeUntil = null;
    const next = this.#held[0];
    if (next && !this.waiting) {
      this.#asked = { after: last, before: next.previous + 1 };
      step.repair = this.#asked;
    }
  }

  #take(batch: Batch, step: Step): void {
    const last = this.#last ?? 0;
    for (const message of batch.messages) {
      if (message.sequence > last && this.#remember(message)) step.messages.push(message);
    }
    if (batch.repair) {
      step.skipped += batch.repair.skipped;
      step.gone ||= batch.repair.outcome === 'gone';
    } else if (batch.sequence > last) {
      step.leftOut += batch.left_out?.chat ?? 0;
    }
    this.#last = Math.max(last, batch.sequence);
  }

  /** Returns false for a message that was delivered before. Its time tells: a chat in lines has no id. */
  #remember(message: BatchMessage): boolean {
    const { at_ms: at, id } = (message.body ?? {}) as { at_ms?: number; id?: string };
    const key = `${message.sequence}/${at ?? id ?? message.class}`;
    if (this.#recent.has(key)) return false;
    this.#recent.add(key);
    if (this.#recent.size > RECENT_MAX) {
      for (const oldest of this.#recent) {
        this.#recent.delete(oldest);
        break;
      }
    }
    return true;
  }
}

function emptyStep(): Step {
  return { messages: [], leftOut: 0, skipped: 0, gone: false, repair: null, overflow: false };
}

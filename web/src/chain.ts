// The room's chain as one viewer sees it: every batch covers (previous, sequence],
// so a hole is seen, asked for, and what lies behind it waits. No clock and no
// socket in here: the connection owns both.

import type { Batch, BatchMessage, Hello } from './protocol.ts';

/** Batches that wait behind a hole. More than this: the connection starts anew and resumes. */
const HELD_MAX = 256;
/** Delivered messages remembered for a server whose chain is behind ours. The oldest is forgotten. */
const RECENT_MAX = 1024;

export interface Range {
  after: number;
  before: number;
}

export interface Step {
  /** In chain order, none of them delivered before. */
  messages: BatchMessage[];
  /** Chat messages that the server left out or skipped. */
  leftOut: number;
  /** Part of the chain is older than what the server keeps. */
  gone: boolean;
  /** Ask for this range now. */
  repair: Range | null;
  /** Too much waits: start anew. */
  overflow: boolean;
}

export class Chain {
  #last: number | null = null;
  #held: Batch[] = [];
  #asked: Range | null = null;
  #resumeUntil: number | null = null;
  #recent = new Set<string>();

  /** The last position delivered; null before the first hello. */
  get last(): number | null {
    return this.#last;
  }

  /** Whether a hole is open: a repair was asked for or a resume is not complete. */
  get waiting(): boolean {
    return this.#asked !== null || this.#resumeUntil !== null;
  }

  /** A connection begins. A chain that is behind ours is followed from where it stands. */
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
    step.overflow = this.#held.length > HELD_MAX;
    return step;
  }

  /** The range that is open, to ask once more; null when only a resume is awaited. */
  get asked(): Range | null {
    return this.#asked;
  }

  /** The server will not fill the hole: go on behind it. */
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
      step.leftOut += batch.repair.skipped;
      step.gone ||= batch.repair.outcome === 'gone';
    } else if (batch.sequence > last) {
      step.leftOut += batch.left_out?.chat ?? 0;
    }
    this.#last = Math.max(last, batch.sequence);
  }

  /** False for a message that was delivered before. */
  #remember(message: BatchMessage): boolean {
    const id = (message.body as { id?: unknown } | null)?.id;
    const key = `${message.sequence}/${typeof id === 'string' ? id : message.class}`;
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
  return { messages: [], leftOut: 0, gone: false, repair: null, overflow: false };
}

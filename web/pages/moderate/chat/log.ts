// The chat as the console keeps it: a bounded number of lines, and those that wait while it pauses. Pure.

import { type Body } from '@barrage/client';

/** Lines that the console shows. The oldest is removed first. */
export const LINES_MAX = 400;
/** Lines that wait while the chat pauses. Beyond it the oldest is skipped, and counted. */
export const WAITING_MAX = 1_000;

/** Why the chat pauses: the pointer is over it, a key or button stopped it, or a line is selected. */
export type Reason = 'hover' | 'stopped' | 'selected';

export interface Line {
  /** Grows with each line, and is unique in this log. */
  key: number;
  /** Position in the room's chain; null for a sentence of the console. */
  sequence: number | null;
  body: Body | null;
  user: string;
  /** Moderators took it from the viewers. The console keeps it, struck through. */
  hidden: boolean;
}

export class Log {
  readonly lines: Line[] = [];
  readonly waiting: Line[] = [];
  /** Lines that were skipped since the chat began to pause. */
  skipped = 0;
  readonly #reasons = new Set<Reason>();
  #touched: Line[] = [];
  #key = 0;

  get paused(): boolean {
    return this.#reasons.size > 0;
  }

  isPausedBy(reason: Reason): boolean {
    return this.#reasons.has(reason);
  }

  add(body: Body | null, sequence: number | null): Line {
    this.#key += 1;
    const user = body !== null && 'user' in body && body.user !== undefined ? body.user : '';
    const line: Line = { key: this.#key, sequence, body, user, hidden: false };
    if (!this.paused) this.#show([line]);
    else {
      this.waiting.push(line);
      if (this.waiting.length > WAITING_MAX) {
        this.waiting.shift();
        this.skipped += 1;
      }
    }
    return line;
  }

  /** Pauses the chat for a reason. */
  pause(reason: Reason): void {
    this.#reasons.add(reason);
  }

  /** Ends a reason. Without another one the lines that waited are shown; returns how many were skipped. */
  resume(reason: Reason): number {
    this.#reasons.delete(reason);
    if (this.paused) return 0;
    const skipped = this.skipped;
    this.skipped = 0;
    this.#show(this.waiting.splice(0));
    return skipped;
  }

  /** Marks the message at a position. */
  hide(sequence: number): void {
    this.#hide((line) => line.sequence === sequence);
  }

  /** Marks what a user wrote before a position. */
  purge(user: string, before: number): void {
    this.#hide((line) => line.user === user && isBefore(line, before));
  }

  /** Marks all messages before a position. */
  clear(before: number): void {
    this.#hide((line) => isBefore(line, before));
  }

  /** Returns the lines that changed since the last call. */
  takeTouched(): Line[] {
    return this.#touched.splice(0);
  }

  find(key: number): Line | undefined {
    return this.lines.find((line) => line.key === key);
  }

  /** Returns the key of the line that is `by` messages after the one with `key`; the newest one without `key`. */
  neighbour(key: number | null, by: number): number | null {
    const messages = this.lines.filter(({ sequence, body }) => sequence !== null && body !== null && body.type !== 'signal');
    const at = key === null ? -1 : messages.findIndex((line) => line.key === key);
    const wanted = at < 0 ? messages.length - 1 : Math.min(Math.max(at + by, 0), messages.length - 1);
    return messages[wanted]?.key ?? null;
  }

  #show(lines: Line[]): void {
    this.lines.push(...lines);
    if (this.lines.length > LINES_MAX) this.lines.splice(0, this.lines.length - LINES_MAX);
  }

  #hide(matches: (line: Line) => boolean): void {
    for (const line of [...this.lines, ...this.waiting]) {
      if (line.hidden || line.body === null || line.body.type === 'signal' || !matches(line)) continue;
      line.hidden = true;
      this.#touched.push(line);
    }
  }
}

function isBefore(line: Line, position: number): boolean {
  return line.sequence !== null && line.sequence < position;
}

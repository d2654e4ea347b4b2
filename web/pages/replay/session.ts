// A replay: a clock, the messages that are due, and the wait for what is not loaded. Pure: the clock and the
// loaded range are passed in.

import { type Clock } from './timeline/clock.ts';
import { type Message } from './timeline/message.ts';
import { Playhead } from './timeline/playhead.ts';
import { type Timeline } from './timeline/timeline.ts';

export interface SessionEvents {
  /** Messages to show now, in order. */
  due: (messages: Message[], positionMs: number) => void;
  /** The position changed without playing: the list is built anew. */
  moved: (positionMs: number) => void;
}

export class Session {
  readonly #head: Playhead;
  #clock: Clock;
  #wanted = false;
  #waiting = false;
  #shiftMs = 0;
  #rate = 1;

  constructor(
    readonly timeline: Timeline,
    clock: Clock,
    /** Returns the moment up to which all messages are there, from a position on. */
    private readonly loadedTo: (ms: number) => number,
    private readonly events: SessionEvents,
  ) {
    this.#head = new Playhead(timeline);
    this.#clock = clock;
  }

  /** Position in the stream. A video may begin earlier or later than the stream. */
  get positionMs(): number {
    return this.#clock.positionMs - this.#shiftMs;
  }

  /** Moment up to which messages were shown. It is before the position while the replay waits. */
  get shownMs(): number {
    return this.#head.positionMs;
  }

  /** Whether the viewer wants it to play; it may wait for messages. */
  get playing(): boolean {
    return this.#wanted;
  }

  get waiting(): boolean {
    return this.#waiting;
  }

  get shiftMs(): number {
    return this.#shiftMs;
  }

  /** Takes another clock, at the present position. */
  use(clock: Clock): void {
    const { positionMs } = this;
    this.#clock.pause();
    this.#clock = clock;
    clock.setRate(this.#rate);
    clock.seek(Math.max(0, positionMs + this.#shiftMs));
    this.sought();
  }

  play(): void {
    this.#wanted = true;
    this.#waiting = false;
    this.#clock.play();
  }

  pause(): void {
    this.#wanted = false;
    this.#waiting = false;
    this.#clock.pause();
    this.#show();
  }

  seek(ms: number): void {
    this.#clock.seek(Math.max(0, ms + this.#shiftMs));
    this.sought();
  }

  /** Takes a position that the clock itself has sought. */
  sought(): void {
    this.#head.seek(this.positionMs);
    this.events.moved(this.positionMs);
  }

  setRate(rate: number): void {
    this.#rate = rate;
    this.#clock.setRate(rate);
  }

  /** Shows messages later by so much than the clock. */
  shift(ms: number): void {
    this.#shiftMs = ms;
    this.sought();
  }

  /** Shows what is due. Waits where the messages of the position are not loaded. */
  tick(): void {
    if (!this.#wanted) return;
    const edge = this.loadedTo(this.#head.positionMs);
    if (this.positionMs >= edge && this.positionMs >= 0) {
      if (!this.#waiting) this.#clock.pause();
      this.#waiting = true;
    } else if (this.#waiting) {
      this.#waiting = false;
      this.#clock.play();
    } else if (!this.#clock.playing) {
      // A video has ended, or was paused by the system.
      this.#wanted = false;
    }
    this.#show();
  }

  /** Shows what is due up to the position, or to the end of what is loaded. */
  #show(): void {
    const { positionMs } = this;
    const due = this.#head.play(Math.min(positionMs, this.loadedTo(this.#head.positionMs)));
    if (due.length > 0) this.events.due(due, positionMs);
  }
}

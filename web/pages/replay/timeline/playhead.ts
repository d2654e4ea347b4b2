// Which messages are due: each message of a played stretch once, in order, whatever is played and sought
// before. Pure: the clock's position is passed in.

import { type Message } from './message.ts';
import { type Timeline } from './timeline.ts';

export class Playhead {
  #positionMs = 0;

  constructor(private readonly timeline: Timeline) {}

  get positionMs(): number {
    return this.#positionMs;
  }

  /** Moves without playing: nothing between the two positions is due. */
  seek(ms: number): void {
    this.#positionMs = ms;
  }

  /**
   * Plays up to a position, and returns the messages from the present position to before it. A clock that
   * went back plays nothing: its messages come again only behind a seek.
   */
  play(ms: number): Message[] {
    if (ms <= this.#positionMs) return [];
    const due = this.timeline.between(this.#positionMs, ms);
    this.#positionMs = ms;
    return due;
  }
}

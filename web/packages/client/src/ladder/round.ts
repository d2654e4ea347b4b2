// One round of attempts over the rungs of a ladder, on a copy. Rounds run beside each other and beside
// an open connection; the shared ladder learns from a whole round at its end.

import type { Ladder, LadderAction, LadderEvent } from './ladder.ts';

/** Time of events, in whole milliseconds. */
export function ladderNow(): number {
  return Math.floor(performance.now());
}

export class Round<R extends string> {
  #ladder: Ladder<R>;
  #events: { atMs: number; event: LadderEvent<R> }[] = [];

  constructor(private readonly shared: Ladder<R>) {
    this.#ladder = shared.clone();
  }

  /** Returns the first rung to open; null when none is offered. */
  connect(offered: readonly R[]): R | null {
    return this.#note({ type: 'connect', offered });
  }

  /** Takes a blockage, and returns the next rung; null after the last. */
  blocked(rung: R): R | null {
    return this.#note({ type: 'failed', rung, cause: 'blocked' });
  }

  /** Reports that the rung that carries has failed, for requests, which have no connection. */
  ended(): void {
    this.#note({ type: 'ended', cause: 'closed' });
  }

  get carrying(): R | null {
    return this.#ladder.carrying;
  }

  /** Ends the round with a rung on which the server was reached, and teaches the shared ladder. */
  reached(rung: R, answer: 'opened' | 'refused'): void {
    this.#note(answer === 'opened' ? { type: 'opened', rung } : { type: 'failed', rung, cause: 'refused' });
    for (const { atMs, event } of this.#events) this.shared.step(atMs, Math.random(), event);
  }

  #note(event: LadderEvent<R>): R | null {
    const atMs = ladderNow();
    this.#events.push({ atMs, event });
    const actions: LadderAction<R>[] = this.#ladder.step(atMs, Math.random(), event);
    for (const action of actions) if (action.type === 'open') return action.rung;
    return null;
  }
}

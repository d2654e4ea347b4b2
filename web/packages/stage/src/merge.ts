// Equal texts of different people are one danmaku with a number. Pure: no DOM and no clock.

import { type Clean } from './danmaku.ts';
import { type Flight } from './painter.ts';

/** Messages that one danmaku stands for, at most; recalls search them. */
const MEMBERS_MAX = 1_000;

/** Finds the danmaku that shows an equal text, among those that wait or fly. */
export class Merger {
  #flights = new Map<string, Flight>();

  find(danmaku: Clean): Flight | null {
    const key = keyOf(danmaku);
    const found = key === null ? undefined : this.#flights.get(key);
    return found && found.members.length < MEMBERS_MAX ? found : null;
  }

  /** Later equal texts are added to this danmaku. */
  keep(flight: Flight): void {
    const key = keyOf(flight.danmaku);
    if (key !== null) this.#flights.set(key, flight);
  }

  drop(flight: Flight): void {
    const key = keyOf(flight.danmaku);
    if (key !== null && this.#flights.get(key) === flight) this.#flights.delete(key);
  }

  clear(): void {
    this.#flights.clear();
  }
}

/** Danmaku of the first classes and placed ones stay alone: their authors look for them. */
function keyOf({ lane, mode, text }: Clean): string | null {
  if (lane !== 'other' || mode === 'placed') return null;
  return `${mode}/${text.normalize('NFKC').trim().replace(/\s+/gu, ' ').toLowerCase()}`;
}

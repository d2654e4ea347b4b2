// The time behind the end of a visit: a closed or missing room is checked from time to time, and a viewer
// who was removed for a while comes back.

import type { Hands } from './hands.ts';
import { isNoRoom } from '../failure.ts';
import type { Refusal } from '../protocol/frames.ts';

const TIMEOUT_MS = 5_000;
/**
 * Wait before a closed or missing room is checked: a random time between half of this and all of it, so
 * that the viewers of a large room do not ask at once. It doubles up to the maximum.
 */
const LOOK_MS = 20_000;
const LOOK_MS_MAX = 120_000;
/** The same for a missing room in which this client was before. */
const LOOK_AGAIN_MS = 2_000;
/** Longest kick after which the client returns by itself. */
const KICK_WAIT_MS_MAX = 24 * 3_600_000;

export class Absence {
  #timer: number | undefined;
  #lookMs: number;
  #isLooking = false;

  /** `untilMs` is the end of a kick, where it is known. */
  constructor(
    private readonly hands: Hands,
    private readonly refusal: Refusal,
    wasThere: boolean,
    private readonly untilMs: number | null,
  ) {
    // A gateway that has just started may not have heard of the room yet.
    this.#lookMs = refusal.code === 'unknown_room' && wasThere ? LOOK_AGAIN_MS : LOOK_MS;
  }

  /** Begins to check, or to wait for the end of the kick. */
  begin(): void {
    if (this.refusal.code !== 'kicked') return this.#later();
    const leftMs = (this.untilMs ?? Infinity) - Date.now();
    if (leftMs > KICK_WAIT_MS_MAX) return;
    this.#timer = setTimeout(() => void this.look(), Math.max(leftMs, 0) + this.hands.entry.backoff.next());
  }

  /** Reconnects if the reason for the end has passed. */
  async look(): Promise<void> {
    const { code } = this.refusal;
    const isKickOver = code === 'kicked' && this.untilMs !== null && this.untilMs <= Date.now();
    if (this.#isLooking || (!isKickOver && !isNoRoom(code))) return;
    this.#isLooking = true;
    const isOpen = isKickOver || (await this.#roomIsOpen());
    this.#isLooking = false;
    if (isOpen) this.hands.comeBack();
    else this.#later();
  }

  stop(): void {
    clearTimeout(this.#timer);
  }

  #later(): void {
    clearTimeout(this.#timer);
    if (this.hands.host.closed || !isNoRoom(this.refusal.code)) return;
    this.#timer = setTimeout(() => void this.look(), this.#lookMs * (0.5 + Math.random() / 2));
    this.#lookMs = Math.min(this.#lookMs * 2, LOOK_MS_MAX);
  }

  /** Asks entry whether the room is open, without taking a slot in the join queue. */
  async #roomIsOpen(): Promise<boolean> {
    const { host, room } = this.hands;
    try {
      const url = `${host.origin}/v1/entry?room=${encodeURIComponent(room)}&purpose=send`;
      return await host.ask(url, { cache: 'no-store' }, TIMEOUT_MS, async (answer) => {
        if (answer.ok) return true;
        const body = (await answer.json().catch(() => null)) as { error?: { code?: string } } | null;
        return !isNoRoom(body?.error?.code ?? 'unknown_room');
      });
    } catch {
      return false;
    }
  }
}

// Decides which danmaku are shown, and when: a short queue in front of the lanes. The viewer's own
// danmaku come first, then paid ones, then the others in their order. Pure: no DOM and no clock.

import { Lanes, type Box, type Motion, type StageSize, type Wish } from './lanes.ts';

export type Rank = 'own' | 'paid' | 'other';

export interface Ask<T> extends Wish {
  rank: Rank;
  item: T;
}

export interface Placed<T> {
  item: T;
  box: Box;
  motion: Motion;
}

export interface Turn<T> {
  placed: Placed<T>[];
  ended: Box[];
  /** Danmaku that found no lane in time. Only the list shows them. */
  missed: T[];
}

/** Longest wait for a lane. Own and paid danmaku wait longer, because their senders look for them. */
const WAIT_MS: Record<Rank, number> = { own: 3_000, paid: 3_000, other: 1_000 };
const RANKS: readonly Rank[] = ['own', 'paid', 'other'];
/** Length of the queue. When it is full, the newest danmaku of the lowest rank is missed. */
const QUEUE_MAX = 64;
/** A standing danmaku that has waited this long may scroll instead. */
const STAND_WAIT_MS = 500;
/** Time for which a standing danmaku is shown. */
const STAND_MS = 5_000;
/** Time in which a danmaku crosses a calm stage. */
const CROSSING_MS = 9_000;
const SPEED_MIN_PX_PER_MS = 0.09;
/** Share by which danmaku are faster on a crowded stage, at most, so that more of them find a lane. */
const HURRY_MAX = 0.5;
/**
 * Danmaku of one batch start at different distances behind the edge, up to this share of the stage,
 * so that they do not form a column. A crowded stage has no space for these distances.
 */
const LEAD_SHARE = 0.12;
/** The golden ratio: the fractions of its multiples are spread evenly for any number of them. */
const GOLDEN = 0.618_034;
/** Times in which crowding goes from none to full, and from full to none. */
const CROWD_RISE_MS = 4_000;
const CROWD_FALL_MS = 8_000;

interface Waiting<T> {
  ask: Ask<T>;
  sinceMs: number;
}

export class Admission<T> {
  #lanes: Lanes;
  #waiting: Record<Rank, Waiting<T>[]> = { own: [], paid: [], other: [] };
  #overflow: T[] = [];
  #crowding = 0;
  #placed = 0;
  #turnMs: number | null = null;
  /** Reduced motion: danmaku that would scroll stand instead. */
  still = false;

  constructor(private size: StageSize) {
    this.#lanes = new Lanes(size);
  }

  get boxes(): readonly Box[] {
    return this.#lanes.boxes;
  }

  /** Reports whether danmaku are shown or wait, so that another turn is needed. */
  get busy(): boolean {
    return this.#lanes.boxes.length > 0 || this.#overflow.length > 0 || RANKS.some((rank) => this.#waiting[rank].length > 0);
  }

  resize(size: StageSize): void {
    this.size = size;
    this.#lanes.resize(size);
  }

  /** Forgets all danmaku, those that wait and those that are shown. */
  clear(): void {
    this.#lanes.clear();
    this.forgetWaiting();
  }

  forgetWaiting(): void {
    this.#waiting = { own: [], paid: [], other: [] };
    this.#overflow = [];
  }

  /** Removes the waiting danmaku for which `is` holds. */
  withdraw(is: (item: T) => boolean): void {
    for (const rank of RANKS) this.#waiting[rank] = this.#waiting[rank].filter(({ ask }) => !is(ask.item));
  }

  offer(ask: Ask<T>, nowMs: number): void {
    this.#waiting[ask.rank].push({ ask, sinceMs: nowMs });
    const count = RANKS.reduce((sum, rank) => sum + this.#waiting[rank].length, 0);
    if (count <= QUEUE_MAX) return;
    for (const rank of ['other', 'paid', 'own'] as const) {
      const missed = this.#waiting[rank].pop();
      if (!missed) continue;
      this.#overflow.push(missed.ask.item);
      return;
    }
  }

  /** Frees the lanes of danmaku that have ended, and gives lanes to waiting ones. */
  turn(nowMs: number): Turn<T> {
    const turn: Turn<T> = { placed: [], ended: this.#lanes.expire(nowMs), missed: this.#overflow };
    this.#overflow = [];
    let held = false;
    for (const rank of RANKS) {
      // Where one danmaku did not fit, the next of the same shape does not fit either.
      const full = new Map<string, number>();
      this.#waiting[rank] = this.#waiting[rank].filter((waiting) => {
        // While an own or paid danmaku waits for enough free rows, no other one takes a lane.
        const placed = held && rank === 'other' ? null : this.#place(waiting, nowMs, full);
        if (placed) turn.placed.push(placed);
        else if (nowMs - waiting.sinceMs < WAIT_MS[rank]) return true;
        else turn.missed.push(waiting.ask.item);
        return false;
      });
      held ||= this.#waiting[rank].length > 0;
    }
    this.#crowd(nowMs);
    return turn;
  }

  #place({ ask, sinceMs }: Waiting<T>, nowMs: number, full: Map<string, number>): Placed<T> | null {
    const motions: Motion[] = [this.still && ask.motion === 'scroll' ? 'top' : ask.motion];
    if (motions[0] !== 'scroll' && !this.still && nowMs - sinceMs >= STAND_WAIT_MS) motions.push('scroll');
    const leadPx = ((this.#placed * GOLDEN) % 1) * LEAD_SHARE * this.size.widthPx * (1 - this.#crowding);
    const how = { speedPxPerMs: this.#speed(), standMs: STAND_MS, leadPx };
    for (const motion of motions) {
      const shape = `${motion}/${ask.rows}`;
      if (ask.widthPx >= (full.get(shape) ?? Infinity)) continue;
      const box = this.#lanes.place({ ...ask, motion }, nowMs, how);
      if (box) {
        this.#placed += 1;
        return { item: ask.item, box, motion };
      }
      full.set(shape, ask.widthPx);
    }
    return null;
  }

  #speed(): number {
    const calm = Math.max(this.size.widthPx / CROSSING_MS, SPEED_MIN_PX_PER_MS);
    return calm * (1 + HURRY_MAX * this.#crowding);
  }

  #crowd(nowMs: number): void {
    const passedMs = nowMs - (this.#turnMs ?? nowMs);
    this.#turnMs = nowMs;
    const waits = this.#waiting.other.length > 0 || this.#waiting.paid.length > 0;
    const step = waits ? passedMs / CROWD_RISE_MS : -passedMs / CROWD_FALL_MS;
    this.#crowding = Math.min(1, Math.max(0, this.#crowding + step));
  }
}

// Decides which danmaku are shown, and when: a short queue in front of the lanes. The viewer's own
// danmaku come first, then paid ones, then moderators' and then the others, each in their order.
// Pure: no DOM and no clock.

import { type Lane, LANES, type Mode } from './danmaku.ts';
import { Lanes, type Box, type Manner, type StageSize, type Wish } from './lanes.ts';

export interface Ask<T> extends Wish {
  lane: Lane;
  item: T;
  /** Time for which a placed danmaku is shown. */
  standMs?: number;
}

export interface Placed<T> {
  item: T;
  box: Box;
  motion: Mode;
}

export interface Turn<T> {
  placed: Placed<T>[];
  ended: Box[];
  /** Danmaku that found no lane in time. Only the list shows them. */
  missed: T[];
}

/** Longest wait for a lane. Danmaku of the first classes wait longer, because people look for them. */
const WAIT_MS: Record<Lane, number> = { own: 3_000, gift: 3_000, moderator: 3_000, other: 1_000 };
/** Length of the queue. When it is full, the newest danmaku of the lowest class is missed. */
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

function empty<T>(): Record<Lane, Waiting<T>[]> {
  return { own: [], gift: [], moderator: [], other: [] };
}

export class Admission<T> {
  #lanes: Lanes;
  #waiting = empty<T>();
  #overflow: T[] = [];
  #crowding = 0;
  #placed = 0;
  #turnMs: number | null = null;
  /** Reduced motion: danmaku that would move stand instead. */
  still = false;
  /** Multiple of the usual speed. */
  speed = 1;
  /** Largest share of the stage that boxes cover when a danmaku of others starts. */
  coverMax = Infinity;

  constructor(private size: StageSize) {
    this.#lanes = new Lanes(size);
  }

  get boxes(): readonly Box[] {
    return this.#lanes.boxes;
  }

  /** Number of danmaku that wait for a lane. */
  get waiting(): number {
    return LANES.reduce((sum, lane) => sum + this.#waiting[lane].length, 0);
  }

  /** Reports whether danmaku are shown or wait, so that another turn is needed. */
  get busy(): boolean {
    return this.#lanes.boxes.length > 0 || this.#overflow.length > 0 || this.waiting > 0;
  }

  resize(size: StageSize): void {
    this.size = size;
    this.#lanes.resize(size);
  }

  /** Forgets all danmaku, those that wait and those that are shown. */
  clear(): void {
    this.#lanes.clear();
    this.forgetWaiting();
    this.#turnMs = null;
  }

  /** Forgets the danmaku that wait. Returns their number. */
  forgetWaiting(): number {
    const count = this.waiting + this.#overflow.length;
    this.#waiting = empty();
    this.#overflow = [];
    return count;
  }

  /** Removes the waiting danmaku for which `is` holds. Returns their number. */
  withdraw(is: (item: T) => boolean): number {
    const before = this.waiting;
    for (const lane of LANES) this.#waiting[lane] = this.#waiting[lane].filter(({ ask }) => !is(ask.item));
    return before - this.waiting;
  }

  /** Frees the place of a danmaku that left before its time. */
  free(box: Box): void {
    this.#lanes.free(box);
  }

  /** Makes a waiting danmaku wider. */
  widen(item: T, widthPx: number): void {
    for (const lane of LANES) {
      for (const { ask } of this.#waiting[lane]) if (ask.item === item) ask.widthPx = Math.max(ask.widthPx, widthPx);
    }
  }

  /** Makes the box of a shown danmaku wider, where there is space. */
  grow(box: Box, widthPx: number): boolean {
    return this.#lanes.grow(box, widthPx);
  }

  offer(ask: Ask<T>, nowMs: number): void {
    this.#waiting[ask.lane].push({ ask: { ...ask, first: ask.lane !== 'other' }, sinceMs: nowMs });
    if (this.waiting <= QUEUE_MAX) return;
    for (const lane of [...LANES].reverse()) {
      const missed = this.#waiting[lane].pop();
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
    for (const lane of LANES) {
      // Where one danmaku did not fit, the next of the same shape does not fit either.
      const full = new Map<string, number>();
      this.#waiting[lane] = this.#waiting[lane].filter((waiting) => {
        // While a danmaku of the first classes waits for enough free rows, no other one takes a lane.
        const barred = lane === 'other' && (held || this.#lanes.covered >= this.coverMax);
        const placed = barred ? null : this.#place(waiting, nowMs, full);
        if (placed) turn.placed.push(placed);
        else if (nowMs - waiting.sinceMs < WAIT_MS[lane]) return true;
        else turn.missed.push(waiting.ask.item);
        return false;
      });
      held ||= this.#waiting[lane].some(({ ask }) => ask.motion !== 'placed');
    }
    this.#crowd(nowMs);
    return turn;
  }

  #place({ ask, sinceMs }: Waiting<T>, nowMs: number, full: Map<string, number>): Placed<T> | null {
    const { motion: asked, bounds } = ask;
    const stands = asked === 'top' || asked === 'bottom';
    const motions: Mode[] = [this.still && !stands && asked !== 'placed' ? 'top' : asked];
    if (stands && !this.still && nowMs - sinceMs >= STAND_WAIT_MS) motions.push('scroll');
    const leadPx = ((this.#placed * GOLDEN) % 1) * LEAD_SHARE * this.size.widthPx * (1 - this.#crowding);
    const how: Manner = { speedPxPerMs: this.#speed(), standMs: ask.standMs ?? STAND_MS, leadPx };
    for (const motion of motions) {
      const shape = `${motion}/${ask.rows}`;
      if (!bounds && ask.widthPx >= (full.get(shape) ?? Infinity)) continue;
      const box = this.#lanes.place({ ...ask, motion }, nowMs, how);
      if (box) {
        this.#placed += 1;
        return { item: ask.item, box, motion };
      }
      if (!bounds) full.set(shape, ask.widthPx);
    }
    return null;
  }

  #speed(): number {
    const calm = Math.max(this.size.widthPx / CROSSING_MS, SPEED_MIN_PX_PER_MS);
    return calm * this.speed * (1 + HURRY_MAX * this.#crowding);
  }

  #crowd(nowMs: number): void {
    const passedMs = Math.max(0, nowMs - (this.#turnMs ?? nowMs));
    this.#turnMs = nowMs;
    const waits = this.#waiting.other.length > 0 || this.#waiting.gift.length > 0;
    const step = waits ? passedMs / CROWD_RISE_MS : -passedMs / CROWD_FALL_MS;
    this.#crowding = Math.min(1, Math.max(0, this.#crowding + step));
  }
}

// Finds a place on the stage for each danmaku, such that no two danmaku meet while both are shown.
// Pure: no DOM and no clock; times are arguments in milliseconds.

import { type Mode } from './danmaku.ts';

export interface StageSize {
  widthPx: number;
  heightPx: number;
  /** Height of one row. A danmaku takes several adjacent rows. */
  rowPx: number;
}

/** Rectangle that a placed danmaku needs, from its first to its last moment. */
export interface Bounds {
  leftPx: number;
  topPx: number;
  widthPx: number;
  heightPx: number;
}

/** Size and motion of a danmaku that needs a place. */
export interface Wish {
  motion: Mode;
  widthPx: number;
  rows: number;
  /** The danmaku may take the rows that are kept for own, paid and moderators' danmaku. */
  first?: boolean;
  /** Rectangle of a `placed` danmaku. */
  bounds?: Bounds;
}

/** Speed, time and start of a danmaku. */
export interface Manner {
  speedPxPerMs: number;
  /** Time for which a standing or placed danmaku is shown. */
  standMs: number;
  /** Distance behind the edge at which a scrolling danmaku starts. Default 0. */
  leadPx?: number;
}

/** Place of a danmaku: a box of constant speed. */
export interface Box {
  /** Left edge at `startMs`. The box moves left by `speedPxPerMs`, and right where it is negative. */
  leftPx: number;
  speedPxPerMs: number;
  widthPx: number;
  topPx: number;
  heightPx: number;
  startMs: number;
  endMs: number;
}

/** Least distance between two danmaku at the same height. */
export const GAP_PX = 20;

/** Danmaku for which rows stay free of the others' scrolling ones: a full stage would never have a place. */
type Kept = 'top' | 'bottom' | 'reverse' | 'first';
/** Time for which rows are kept after the last danmaku of their kind. */
const KEPT_MS = 20_000;
/** Largest share of the rows that is kept for each kind. */
const KEPT_SHARE_MAX: Record<Kept, number> = { top: 0.25, bottom: 0.25, reverse: 0.2, first: 0.15 };

export class Lanes {
  #size: StageSize;
  #boxes: Box[] = [];
  #kept: Record<Kept, { rows: number; untilMs: number }> = {
    top: { rows: 0, untilMs: -Infinity },
    bottom: { rows: 0, untilMs: -Infinity },
    reverse: { rows: 0, untilMs: -Infinity },
    first: { rows: 0, untilMs: -Infinity },
  };

  constructor(size: StageSize) {
    this.#size = size;
  }

  get boxes(): readonly Box[] {
    return this.#boxes;
  }

  get rows(): number {
    return Math.max(0, Math.floor(this.#size.heightPx / this.#size.rowPx));
  }

  /** Share of the stage that boxes cover, those at its edges with their whole area. */
  get covered(): number {
    const stagePx = this.#size.widthPx * this.#size.heightPx;
    return stagePx > 0 ? this.#boxes.reduce((sum, box) => sum + box.widthPx * box.heightPx, 0) / stagePx : 0;
  }

  /** Changes the size for later boxes. Existing boxes keep their places. */
  resize(size: StageSize): void {
    this.#size = size;
  }

  clear(): void {
    this.#boxes = [];
    for (const kept of Object.values(this.#kept)) kept.untilMs = -Infinity;
  }

  /** Removes the boxes whose time is over, and returns them. */
  expire(nowMs: number): Box[] {
    const over = this.#boxes.filter((box) => box.endMs <= nowMs);
    if (over.length > 0) this.#boxes = this.#boxes.filter((box) => box.endMs > nowMs);
    return over;
  }

  /** Frees the place of a box before its time is over. */
  free(box: Box): void {
    this.#boxes = this.#boxes.filter((other) => other !== box);
  }

  /** Returns a place from `nowMs` on, or null when a danmaku would meet another one at every place. */
  place(wish: Wish, nowMs: number, how: Manner): Box | null {
    if (wish.motion === 'placed') return this.#placeAt(wish.bounds, nowMs, how.standMs);
    if (wish.motion !== 'scroll') this.#keep(wish.motion, wish.rows, nowMs);
    if (wish.first) this.#keep('first', wish.rows, nowMs);
    const rows = this.rows;
    if (wish.rows > rows) return null;
    const box = this.#boxOf(wish, nowMs, how);
    const fromBelow = wish.motion === 'bottom' || wish.motion === 'reverse';
    const first = firstRun(this.#takenRows(box, wish, nowMs), rows, wish.rows, fromBelow);
    if (first === null) return null;
    // Rows for `bottom` are measured from the lower edge, so that no part of a row is left below them.
    box.topPx = wish.motion === 'bottom' ? this.#size.heightPx - (rows - first) * this.#size.rowPx : first * this.#size.rowPx;
    return this.#take(box);
  }

  /** Makes a box wider at its end, where no other danmaku is in the way. Reports whether the box has the width. */
  grow(box: Box, widthPx: number): boolean {
    if (widthPx <= box.widthPx) return true;
    const wider = grown(box, widthPx);
    if (this.#boxes.some((other) => other !== box && sharesHeight(wider, other) && meets(wider, other))) return false;
    Object.assign(box, wider);
    return true;
  }

  #placeAt(bounds: Bounds | undefined, nowMs: number, standMs: number): Box | null {
    return bounds ? this.#take({ ...bounds, speedPxPerMs: 0, startMs: nowMs, endMs: nowMs + standMs }) : null;
  }

  #take(box: Box): Box | null {
    if (this.#boxes.some((other) => sharesHeight(box, other) && meets(box, other))) return null;
    this.#boxes.push(box);
    return box;
  }

  #boxOf({ motion, widthPx, rows }: Wish, nowMs: number, how: Manner): Box {
    const { widthPx: stagePx, rowPx } = this.#size;
    const moves = motion === 'scroll' || motion === 'reverse';
    const leadPx = how.leadPx ?? 0;
    const lifeMs = moves ? (stagePx + leadPx + widthPx) / how.speedPxPerMs : how.standMs;
    const leftPx = { scroll: stagePx + leadPx, reverse: -widthPx - leadPx, stands: (stagePx - widthPx) / 2 };
    const speed = { scroll: how.speedPxPerMs, reverse: -how.speedPxPerMs, stands: 0 };
    const kind = motion === 'scroll' || motion === 'reverse' ? motion : 'stands';
    return { leftPx: leftPx[kind], speedPxPerMs: speed[kind], widthPx, topPx: 0, heightPx: rows * rowPx, startMs: nowMs, endMs: nowMs + lifeMs };
  }

  /** Marks the rows on which the box would meet another one, and the rows that are kept for others. */
  #takenRows(box: Box, wish: Wish, nowMs: number): boolean[] {
    const { heightPx, rowPx } = this.#size;
    const rows = this.rows;
    const taken = new Array<boolean>(rows).fill(false);
    // Rows that are measured from the lower edge are lower by a part of a row.
    const shiftPx = wish.motion === 'bottom' ? heightPx - rows * rowPx : 0;
    for (const other of this.#boxes) {
      if (!meets(box, other)) continue;
      const from = Math.max(0, Math.floor((other.topPx - shiftPx) / rowPx));
      const to = Math.min(rows, Math.ceil((other.topPx + other.heightPx - shiftPx) / rowPx));
      taken.fill(true, from, Math.max(from, to));
    }
    this.#takeKept(taken, wish, nowMs);
    return taken;
  }

  /** From above: rows of `top`, rows of the first classes; from below: rows of `bottom`, rows of `reverse`. */
  #takeKept(taken: boolean[], { motion, first }: Wish, nowMs: number): void {
    if (motion === 'top' || motion === 'bottom') return;
    const rows = taken.length;
    const kept = (kind: Kept): number => (nowMs < this.#kept[kind].untilMs ? Math.min(rows, this.#kept[kind].rows) : 0);
    const top = kept('top');
    const bottom = rows - kept('bottom');
    taken.fill(true, 0, top);
    taken.fill(true, bottom);
    if (!first) taken.fill(true, top, top + kept('first'));
    if (motion === 'scroll') taken.fill(true, Math.max(0, bottom - kept('reverse')), bottom);
  }

  #keep(kind: Kept, rows: number, nowMs: number): void {
    const most = Math.floor(this.rows * KEPT_SHARE_MAX[kind]);
    this.#kept[kind] = { rows: Math.min(most, rows), untilMs: nowMs + KEPT_MS };
  }
}

/** Reports whether two boxes come nearer than the gap while both are shown. Ignores their heights. */
export function meets(a: Box, b: Box): boolean {
  const fromMs = Math.max(a.startMs, b.startMs);
  const toMs = Math.min(a.endMs, b.endMs);
  if (fromMs >= toMs) return false;
  // Speeds are constant: the box that is on the left at both ends is on the left all the time.
  return !(leftOf(a, b, fromMs) && leftOf(a, b, toMs)) && !(leftOf(b, a, fromMs) && leftOf(b, a, toMs));
}

/** Returns the left edge of a box at a time. */
export function leftAt(box: Box, nowMs: number): number {
  return box.leftPx - box.speedPxPerMs * (nowMs - box.startMs);
}

/** Returns the box that covers a point of the stage at a time. */
export function boxAt(boxes: Iterable<Box>, xPx: number, yPx: number, nowMs: number): Box | null {
  for (const box of boxes) {
    const fromLeftPx = xPx - leftAt(box, nowMs);
    const shown = box.startMs <= nowMs && nowMs < box.endMs;
    if (shown && fromLeftPx >= 0 && fromLeftPx < box.widthPx && yPx >= box.topPx && yPx < box.topPx + box.heightPx) return box;
  }
  return null;
}

/** A box that moves right grows to the left, and a standing one to both sides. */
function grown(box: Box, widthPx: number): Box {
  const morePx = widthPx - box.widthPx;
  const { speedPxPerMs } = box;
  if (speedPxPerMs === 0) return { ...box, widthPx, leftPx: box.leftPx - morePx / 2 };
  const endMs = box.endMs + morePx / Math.abs(speedPxPerMs);
  return { ...box, widthPx, endMs, leftPx: speedPxPerMs < 0 ? box.leftPx - morePx : box.leftPx };
}

function leftOf(a: Box, b: Box, nowMs: number): boolean {
  return leftAt(a, nowMs) + a.widthPx + GAP_PX <= leftAt(b, nowMs);
}

function sharesHeight(a: Box, b: Box): boolean {
  return a.topPx < b.topPx + b.heightPx && b.topPx < a.topPx + a.heightPx;
}

/** Returns the first row of `length` adjacent free rows, searched from above or from below. */
function firstRun(taken: readonly boolean[], rows: number, length: number, fromBelow: boolean): number | null {
  for (let step = 0; step + length <= rows; step += 1) {
    const first = fromBelow ? rows - length - step : step;
    let free = true;
    for (let row = first; row < first + length; row += 1) free &&= !taken[row];
    if (free) return first;
  }
  return null;
}

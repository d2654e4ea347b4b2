// Lanes of a danmaku stage: finds a place for each danmaku in which it meets no other one as
// long as both are shown. Pure: no DOM and no clock; times come in as milliseconds.

/** `scroll` moves from right to left; `top` and `bottom` stand in the middle. */
export type Motion = 'scroll' | 'top' | 'bottom';

export interface StageSize {
  widthPx: number;
  heightPx: number;
  /** Height of one row. A danmaku takes some rows that lie together. */
  rowPx: number;
}

/** A danmaku that asks for a place. */
export interface Wish {
  motion: Motion;
  widthPx: number;
  rows: number;
}

/** How fast, how long, and from where a danmaku is shown. */
export interface Manner {
  speedPxPerMs: number;
  /** For one that stands. */
  standMs: number;
  /** A scrolling one begins so far behind the right edge. Default 0. */
  leadPx?: number;
}

/** A danmaku that has its place: a box of constant size and speed. */
export interface Box {
  /** Left edge at `startMs`; it moves left by `speedPxPerMs`. */
  leftPx: number;
  speedPxPerMs: number;
  widthPx: number;
  topPx: number;
  heightPx: number;
  startMs: number;
  endMs: number;
}

/** Between two danmaku on the same height. */
export const GAP_PX = 20;
/** Rows near the edges stay free of scrolling ones for this long after a standing one was wanted. */
const RESERVED_MS = 20_000;
/** Share of the rows that is kept so at each edge, at most: the rows of the last wish, if they are fewer. */
const RESERVED_SHARE_MAX = 0.25;

export class Lanes {
  #size: StageSize;
  #boxes: Box[] = [];
  #reserved = { top: { rows: 0, untilMs: -Infinity }, bottom: { rows: 0, untilMs: -Infinity } };

  constructor(size: StageSize) {
    this.#size = size;
  }

  get boxes(): readonly Box[] {
    return this.#boxes;
  }

  get rows(): number {
    return Math.max(0, Math.floor(this.#size.heightPx / this.#size.rowPx));
  }

  /** Boxes keep their places; later ones find theirs in the new size. */
  resize(size: StageSize): void {
    this.#size = size;
  }

  clear(): void {
    this.#boxes = [];
  }

  /** Takes out the boxes whose time is over, and returns them. */
  expire(nowMs: number): Box[] {
    const over = this.#boxes.filter((box) => box.endMs <= nowMs);
    if (over.length > 0) this.#boxes = this.#boxes.filter((box) => box.endMs > nowMs);
    return over;
  }

  /** A place from now on, or null when every place would meet a danmaku that has its own. */
  place(wish: Wish, nowMs: number, how: Manner): Box | null {
    if (wish.motion !== 'scroll') this.#reserve(wish.motion, wish.rows, nowMs);
    const rows = this.rows;
    if (wish.rows > rows) return null;
    const box = this.#boxOf(wish, nowMs, how);
    const taken = this.#takenRows(box, wish.motion, nowMs);
    const first = firstRun(taken, rows, wish.rows, wish.motion === 'bottom');
    if (first === null) return null;
    // The rows of the lower half hang from the lower edge, so that no part row is left below.
    box.topPx = wish.motion === 'bottom' ? this.#size.heightPx - (rows - first) * this.#size.rowPx : first * this.#size.rowPx;
    if (this.#boxes.some((other) => sharesHeight(box, other) && meets(box, other))) return null;
    this.#boxes.push(box);
    return box;
  }

  #boxOf(wish: Wish, nowMs: number, how: Manner): Box {
    const { widthPx, rowPx } = this.#size;
    const scrolls = wish.motion === 'scroll';
    const fromPx = widthPx + (how.leadPx ?? 0);
    const lifeMs = scrolls ? (fromPx + wish.widthPx) / how.speedPxPerMs : how.standMs;
    return {
      leftPx: scrolls ? fromPx : (widthPx - wish.widthPx) / 2,
      speedPxPerMs: scrolls ? how.speedPxPerMs : 0,
      widthPx: wish.widthPx,
      topPx: 0,
      heightPx: wish.rows * rowPx,
      startMs: nowMs,
      endMs: nowMs + lifeMs,
    };
  }

  /** Marks the rows on which the box would meet another one, and those kept for standing ones. */
  #takenRows(box: Box, motion: Motion, nowMs: number): boolean[] {
    const { heightPx, rowPx } = this.#size;
    const rows = this.rows;
    const taken = new Array<boolean>(rows).fill(false);
    // Rows counted from the lower edge lie a part of a row lower.
    const shiftPx = motion === 'bottom' ? heightPx - rows * rowPx : 0;
    for (const other of this.#boxes) {
      if (!meets(box, other)) continue;
      const from = Math.max(0, Math.floor((other.topPx - shiftPx) / rowPx));
      const to = Math.min(rows, Math.ceil((other.topPx + other.heightPx - shiftPx) / rowPx));
      taken.fill(true, from, Math.max(from, to));
    }
    if (motion === 'scroll') {
      const { top, bottom } = this.#reserved;
      if (nowMs < top.untilMs) taken.fill(true, 0, Math.min(rows, top.rows));
      if (nowMs < bottom.untilMs) taken.fill(true, Math.max(0, rows - bottom.rows));
    }
    return taken;
  }

  #reserve(edge: 'top' | 'bottom', rows: number, nowMs: number): void {
    const most = Math.floor(this.rows * RESERVED_SHARE_MAX);
    this.#reserved[edge] = { rows: Math.min(most, rows), untilMs: nowMs + RESERVED_MS };
  }
}

/** Whether two boxes come nearer than the gap while both are shown, heights apart. */
export function meets(a: Box, b: Box): boolean {
  const fromMs = Math.max(a.startMs, b.startMs);
  const toMs = Math.min(a.endMs, b.endMs);
  if (fromMs >= toMs) return false;
  // Both move evenly, so the box that is on the left at both ends was there all the time.
  return !(leftOf(a, b, fromMs) && leftOf(a, b, toMs)) && !(leftOf(b, a, fromMs) && leftOf(b, a, toMs));
}

/** Where a box's left edge is. */
export function leftAt(box: Box, nowMs: number): number {
  return box.leftPx - box.speedPxPerMs * (nowMs - box.startMs);
}

function leftOf(a: Box, b: Box, nowMs: number): boolean {
  return leftAt(a, nowMs) + a.widthPx + GAP_PX <= leftAt(b, nowMs);
}

function sharesHeight(a: Box, b: Box): boolean {
  return a.topPx < b.topPx + b.heightPx && b.topPx < a.topPx + a.heightPx;
}

/** The first of `length` free rows that lie together, from above or from below. */
function firstRun(taken: readonly boolean[], rows: number, length: number, fromBelow: boolean): number | null {
  for (let step = 0; step + length <= rows; step += 1) {
    const first = fromBelow ? rows - length - step : step;
    let free = true;
    for (let row = first; row < first + length; row += 1) free &&= !taken[row];
    if (free) return first;
  }
  return null;
}

// Finds a place on the stage for each danmaku, such that no two danmaku meet while both are shown.
// Pure: no DOM and no clock; times are arguments in milliseconds.

/** `scroll` moves from right to left; `top` and `bottom` stand in the middle of the width. */
export type Motion = 'scroll' | 'top' | 'bottom';

export interface StageSize {
  widthPx: number;
  heightPx: number;
  /** Height of one row. A danmaku takes several adjacent rows. */
  rowPx: number;
}

/** Size and motion of a danmaku that needs a place. */
export interface Wish {
  motion: Motion;
  widthPx: number;
  rows: number;
}

/** Speed, time and start of a danmaku. */
export interface Manner {
  speedPxPerMs: number;
  /** Time for which a standing danmaku is shown. */
  standMs: number;
  /** Distance behind the right edge at which a scrolling danmaku starts. Default 0. */
  leadPx?: number;
}

/** Place of a danmaku: a box of constant size and speed. */
export interface Box {
  /** Left edge at `startMs`. The box moves left by `speedPxPerMs`. */
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
/** After a standing danmaku asked for a place, rows at that edge stay free of scrolling ones for this long. */
const RESERVED_MS = 20_000;
/** Largest share of the rows that is reserved at each edge. */
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

  /** Changes the size for later boxes. Existing boxes keep their places. */
  resize(size: StageSize): void {
    this.#size = size;
  }

  clear(): void {
    this.#boxes = [];
  }

  /** Removes the boxes whose time is over, and returns them. */
  expire(nowMs: number): Box[] {
    const over = this.#boxes.filter((box) => box.endMs <= nowMs);
    if (over.length > 0) this.#boxes = this.#boxes.filter((box) => box.endMs > nowMs);
    return over;
  }

  /** Returns a place from `nowMs` on, or null when a danmaku would meet another one at every place. */
  place(wish: Wish, nowMs: number, how: Manner): Box | null {
    if (wish.motion !== 'scroll') this.#reserve(wish.motion, wish.rows, nowMs);
    const rows = this.rows;
    if (wish.rows > rows) return null;
    const box = this.#boxOf(wish, nowMs, how);
    const taken = this.#takenRows(box, wish.motion, nowMs);
    const first = firstRun(taken, rows, wish.rows, wish.motion === 'bottom');
    if (first === null) return null;
    // Rows for `bottom` are measured from the lower edge, so that no part of a row is left below them.
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

  /** Marks the rows on which the box would meet another one, and the rows reserved for standing ones. */
  #takenRows(box: Box, motion: Motion, nowMs: number): boolean[] {
    const { heightPx, rowPx } = this.#size;
    const rows = this.rows;
    const taken = new Array<boolean>(rows).fill(false);
    // Rows that are measured from the lower edge are lower by a part of a row.
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

// What the tests of the stage share: pseudo-random numbers, a check of boxes, and a painter that remembers.

import { leftAt } from '../src/lanes.ts';

/** Returns a generator of pseudo-random numbers from 0 to 1, the same for the same seed. */
export function seeded(seed) {
  let state = seed;
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return (state >>> 4) / 2 ** 28;
  };
}

/** Returns two boxes that overlap at this time, or null. */
export function overlapping(boxes, nowMs) {
  const shown = boxes.filter((box) => box.startMs <= nowMs && nowMs < box.endMs);
  for (const [index, a] of shown.entries()) {
    for (const b of shown.slice(index + 1)) {
      const across = Math.min(leftAt(a, nowMs) + a.widthPx, leftAt(b, nowMs) + b.widthPx) - Math.max(leftAt(a, nowMs), leftAt(b, nowMs));
      const down = Math.min(a.topPx + a.heightPx, b.topPx + b.heightPx) - Math.max(a.topPx, b.topPx);
      if (across > 1e-6 && down > 1e-6) return [a, b];
    }
  }
  return null;
}

/** Painter that keeps what is on the stage. */
export class Recorder {
  shown = new Set();

  add(flying) {
    if (this.shown.has(flying)) throw new Error('it is shown already');
    this.shown.add(flying);
  }

  remove(flying) {
    if (!this.shown.delete(flying)) throw new Error('it is not shown');
  }

  update(flying) {
    if (!this.shown.has(flying)) throw new Error('it is not shown');
  }

  retime() {}
  resize() {}
  close() {}
}

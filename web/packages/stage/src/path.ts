// The path of a placed danmaku in pixels, and the rectangle that contains it all the time. Pure.

import { type Place } from './danmaku.ts';
import { type Bounds } from './lanes.ts';
import { type Layout } from './layout.ts';

/** Left upper corner at the start and at the end of the movement. */
export interface Path {
  fromPx: readonly [number, number];
  toPx: readonly [number, number];
}

/** Returns path and rectangle of a danmaku that is turned around its left upper corner. */
export function pathOf(place: Required<Place>, layout: Layout, stagePx: number, stageHeightPx: number): { path: Path; bounds: Bounds } {
  const fromPx = [place.x * stagePx, place.y * stageHeightPx] as const;
  const toPx = [place.toX * stagePx, place.toY * stageHeightPx] as const;
  const angle = (place.rotateDeg * Math.PI) / 180;
  const heightPx = layout.linePx * layout.lines;
  const rightPx = layout.widthPx * Math.cos((place.turnDeg * Math.PI) / 180);
  const corners = [[0, 0], [rightPx, 0], [0, heightPx], [rightPx, heightPx]] as const;
  const xs = corners.map(([right, down]) => right * Math.cos(angle) - down * Math.sin(angle));
  const ys = corners.map(([right, down]) => right * Math.sin(angle) + down * Math.cos(angle));
  const leftPx = Math.min(fromPx[0], toPx[0]) + Math.min(...xs);
  const topPx = Math.min(fromPx[1], toPx[1]) + Math.min(...ys);
  const bounds = {
    leftPx,
    topPx,
    widthPx: Math.max(fromPx[0], toPx[0]) + Math.max(...xs) - leftPx,
    heightPx: Math.max(fromPx[1], toPx[1]) + Math.max(...ys) - topPx,
  };
  return { path: { fromPx, toPx }, bounds };
}

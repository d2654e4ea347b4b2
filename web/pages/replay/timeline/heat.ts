// The heat line: messages per time, in equal parts of the recording. Pure.

import { type Message } from './message.ts';

/** Counts messages in `parts` equal parts from 0 to `endMs`. */
export function heat(messages: readonly Message[], endMs: number, parts: number): number[] {
  const counts = Array.from({ length: parts }, () => 0);
  if (endMs <= 0) return counts;
  for (const { offsetMs } of messages) {
    if (offsetMs < 0 || offsetMs > endMs) continue;
    counts[Math.min(parts - 1, Math.floor((offsetMs / endMs) * parts))]! += 1;
  }
  return counts;
}

/** Returns the line of an area of `width` by `height` above its base, as an SVG path. Peaks are smoothed by their neighbours. */
export function heatPath(counts: readonly number[], width: number, height: number): string {
  const smooth = counts.map((count, at) => ((counts[at - 1] ?? count) + 2 * count + (counts[at + 1] ?? count)) / 4);
  const top = Math.max(...smooth, 1);
  const step = width / Math.max(1, counts.length);
  const points = smooth.map((count, at) => `${((at + 0.5) * step).toFixed(1)},${(height - (count / top) * height).toFixed(1)}`);
  return `M0,${height} L${points.join(' ')} L${width},${height} Z`;
}

// The heat line of a recording: how many danmaku come at each part of it. Pure.

/** Returns the heat of equal parts of a recording, from 0 to 1, smoothed over their neighbours. */
export function heat(timesMs: Iterable<number>, durationMs: number, parts = 120): number[] {
  const counts = new Array<number>(parts).fill(0);
  if (!(durationMs > 0)) return counts;
  for (const atMs of timesMs) {
    const part = Math.floor((atMs / durationMs) * parts);
    if (part >= 0 && part < parts) counts[part]! += 1;
  }
  const smooth = counts.map((count, part) => (counts[part - 1] ?? count) / 4 + count / 2 + (counts[part + 1] ?? count) / 4);
  const most = Math.max(...smooth);
  return most > 0 ? smooth.map((count) => count / most) : smooth;
}

/** Returns the `d` of an SVG path that fills the area below the heat line. */
export function heatPath(line: readonly number[], widthPx: number, heightPx: number): string {
  if (line.length === 0) return '';
  const round = (px: number): number => Math.round(px * 10) / 10;
  const x = (part: number): number => round(((part + 0.5) / line.length) * widthPx);
  const y = (value: number): number => round((1 - value) * heightPx);
  const points = line.map((value, part) => `L${x(part)} ${y(value)}`).join('');
  return `M0 ${heightPx}L0 ${y(line[0]!)}${points}L${widthPx} ${y(line.at(-1)!)}L${widthPx} ${heightPx}Z`;
}

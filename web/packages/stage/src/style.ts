// Reads the `style` of a message of the protocol (docs/reference/protocol.md). Pure.

import { type Danmaku, type Mode, type Place, type SizeName } from './danmaku.ts';

/** Unit of positions in the protocol: 1/10,000 of the picture. */
const WHOLE = 10_000;

type Fields = Record<string, unknown>;

/** Returns mode, colour, size and place of a danmaku. The stage checks the values. */
export function styleOf(style: object | null | undefined): Pick<Danmaku, 'mode' | 'color' | 'size' | 'place'> {
  const { mode, color, size, place } = (style ?? {}) as Fields;
  const read = placeOf(place);
  return { mode: mode as Mode, color: color as number, size: size as SizeName, ...(read ? { place: read } : {}) };
}

function placeOf(place: unknown): Place | null {
  if (typeof place !== 'object' || place === null) return null;
  const { x, y, duration_ms, height, opacity, rotate_z, rotate_y, end } = place as Fields;
  const { x: toX, y: toY, move_ms, delay_ms } = (typeof end === 'object' && end !== null ? end : {}) as Fields;
  const [from, to] = (Array.isArray(opacity) ? opacity : []) as unknown[];
  const read: Fields = {
    x: share(x, WHOLE),
    y: share(y, WHOLE),
    toX: share(toX, WHOLE),
    toY: share(toY, WHOLE),
    durationMs: duration_ms,
    delayMs: delay_ms,
    moveMs: move_ms,
    fromOpacity: share(from, 100),
    toOpacity: share(to ?? from, 100),
    height: share(height, WHOLE),
    rotateDeg: rotate_z,
    turnDeg: rotate_y,
  };
  return read as unknown as Place;
}

function share(value: unknown, whole: number): number | undefined {
  return typeof value === 'number' ? value / whole : undefined;
}

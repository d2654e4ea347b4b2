// Reads the text of mode 7 of Bilibili's files: a JSON array with the text, its place and its path. Pure.

import { type Place } from './danmaku.ts';

/** Size of the player for which files with pixels were written. */
const FILE_PLAYER = { widthPx: 682, heightPx: 438 };
/** Longer arrays are no danmaku. */
const JSON_MAX = 10_000;

/** Returns the text and the place of a danmaku of mode 7, or null for another text. */
export function readMode7(json: string): { text: string; place: Place } | null {
  const parts = partsOf(json);
  if (!parts) return null;
  const [x, y, opacity, seconds, text, rotateDeg, turnDeg, toX, toY, moveMs, delayMs] = parts;
  if (typeof text !== 'string') return null;
  const [fromOpacity = 1, toOpacity = fromOpacity] = String(opacity).split('-').map(Number);
  const left = share(x, FILE_PLAYER.widthPx);
  const top = share(y, FILE_PLAYER.heightPx);
  if (left === null || top === null) return null;
  return {
    text: text.replaceAll('/n', '\n'),
    place: {
      x: left,
      y: top,
      toX: share(toX, FILE_PLAYER.widthPx) ?? left,
      toY: share(toY, FILE_PLAYER.heightPx) ?? top,
      fromOpacity,
      toOpacity,
      ...given('durationMs', Number(seconds) * 1000),
      ...given('moveMs', Number(moveMs)),
      ...given('delayMs', Number(delayMs)),
      ...given('rotateDeg', Number(rotateDeg)),
      ...given('turnDeg', Number(turnDeg)),
    },
  };
}

function partsOf(json: string): unknown[] | null {
  if (json.length > JSON_MAX) return null;
  try {
    const parts: unknown = JSON.parse(json);
    return Array.isArray(parts) && parts.length >= 5 ? parts : null;
  } catch {
    return null;
  }
}

/** Numbers below 1, and texts with a point, are shares of the player; others are pixels of the file's player. */
function share(value: unknown, ofPx: number): number | null {
  if (value === undefined || value === null || value === '') return null;
  const number = Number(value);
  if (!Number.isFinite(number)) return null;
  const isShare = Math.abs(number) < 1 || (typeof value === 'string' && value.includes('.') && Math.abs(number) <= 1);
  return isShare ? number : number / ofPx;
}

function given<Name extends keyof Place>(name: Name, value: number): Partial<Record<Name, number>> {
  return Number.isFinite(value) && value !== 0 ? ({ [name]: value } as Record<Name, number>) : {};
}

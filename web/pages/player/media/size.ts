// Sizes of pictures and clips on the page, and times of voice notes. Pure.

/** Box of a picture in CSS pixels: no picture is larger, and none is so flat that a finger misses it. */
const BOUNDS = { width: 240, height: 180 };
/** Box of a clip without a cover. */
const CLIP = { width: 240, height: 135 };
const STICKER = { width: 96, height: 96 };
const SIDE_MIN = 40;

export interface Box {
  width: number;
  height: number;
}

/** Returns the box of a picture or clip: its shape within the bounds. A picture of unknown size is a square. */
export function boxOf({ width = 0, height = 0, is_public = false, kind = '' }: { width?: number; height?: number; is_public?: boolean; kind?: string }, bounds: Box = is_public ? STICKER : BOUNDS): Box {
  if (!(width > 0 && height > 0) && kind === 'video') return CLIP;
  if (!(width > 0 && height > 0)) return { width: bounds.height, height: bounds.height };
  const factor = Math.min(1, bounds.width / width, bounds.height / height);
  const side = (length: number, most: number): number => Math.min(most, Math.max(SIDE_MIN, Math.round(length * factor)));
  return { width: side(width, bounds.width), height: side(height, bounds.height) };
}

/** Returns a time as minutes and seconds. */
export function timeOf(secs: number): string {
  return `${Math.floor(secs / 60)}:${String(Math.floor(secs % 60)).padStart(2, '0')}`;
}

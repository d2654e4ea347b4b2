// Sizes of pictures on the page. Pure.

/** Box of a picture in CSS pixels: no picture is larger, and none is so flat that a finger misses it. */
const BOUNDS = { width: 240, height: 180 };
const STICKER = { width: 96, height: 96 };
const SIDE_MIN = 40;

export interface Box {
  width: number;
  height: number;
}

/** Returns the box of a picture: its shape within the bounds. A picture of unknown size is a square. */
export function boxOf({ width = 0, height = 0, is_public = false }: { width?: number; height?: number; is_public?: boolean }, bounds: Box = is_public ? STICKER : BOUNDS): Box {
  if (!(width > 0 && height > 0)) return { width: bounds.height, height: bounds.height };
  const factor = Math.min(1, bounds.width / width, bounds.height / height);
  const side = (length: number, most: number): number => Math.min(most, Math.max(SIDE_MIN, Math.round(length * factor)));
  return { width: side(width, bounds.width), height: side(height, bounds.height) };
}

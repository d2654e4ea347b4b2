// Masks of the stage: pictures whose opaque parts show danmaku, for example a video frame without the
// people in it. Each has the time from which it holds.

/** SVG text, or a picture; null shows the whole stage. */
export type Mask = string | ImageBitmap | HTMLCanvasElement | OffscreenCanvas | null;

/** Masks that wait for their time. When there are more, the latest ones are dropped. */
const WAITING_MAX = 512;
/** Characters of a mask in SVG; Bilibili's have some 2,000. */
const SVG_MAX = 200_000;

/** Keeps values until their times. Pure. */
export class Schedule<Value> {
  #waiting: { atMs: number; value: Value }[] = [];

  get waiting(): number {
    return this.#waiting.length;
  }

  add(value: Value, atMs: number): void {
    const after = this.#waiting.findIndex((one) => one.atMs > atMs);
    this.#waiting.splice(after < 0 ? this.#waiting.length : after, 0, { atMs, value });
    if (this.#waiting.length > WAITING_MAX) this.#waiting.pop();
  }

  /** Returns the newest value that is due, and forgets it and the older ones. */
  take(nowMs: number): { value: Value } | null {
    let due: { value: Value } | null = null;
    while (this.#waiting.length > 0 && this.#waiting[0]!.atMs <= nowMs) due = this.#waiting.shift()!;
    return due;
  }

  clear(): void {
    this.#waiting = [];
  }
}

/** Returns the CSS `mask-image` of a mask. An SVG in an image runs no script and loads nothing. */
export function maskImage(mask: Mask): string {
  if (mask === null) return '';
  if (typeof mask === 'string') {
    return mask.length > SVG_MAX ? '' : `url("data:image/svg+xml,${encodeURIComponent(mask)}")`;
  }
  const canvas = mask instanceof HTMLCanvasElement ? mask : copyOf(mask);
  return `url("${canvas.toDataURL()}")`;
}

function copyOf(picture: ImageBitmap | OffscreenCanvas): HTMLCanvasElement {
  const canvas = document.createElement('canvas');
  canvas.width = picture.width;
  canvas.height = picture.height;
  canvas.getContext('2d')!.drawImage(picture, 0, 0);
  return canvas;
}

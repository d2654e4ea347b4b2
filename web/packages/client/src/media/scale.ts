// Makes a picture smaller before its upload where that saves bytes: the server keeps 1,280 pixels and never the file.

/** Longest side after the scaling: more than the server keeps, so that its own scaling sees finer pixels. */
const SIDE_MAX = 1_920;
/** Files below this are uploaded as they are: they save nothing that a user would notice. */
const BYTES_MIN = 400 * 1_024;
/** Largest file that is decoded here; larger ones could exhaust a phone's memory. */
const BYTES_MAX = 50 << 20;
const QUALITY = 0.9;
/** The scaled picture is used when it has at most this share of the bytes. */
const SHARE_MAX = 0.8;
/** Pictures that stand still. A GIF may move, and SVG has no pixels. */
const STILL = new Set(['image/jpeg', 'image/png', 'image/webp']);
const NEVER = new Set(['image/gif', 'image/svg+xml']);

/** Whether a file may gain by scaling. Formats that the server does not read, such as HEIC, always may. */
export function mayScale({ type, size }: { type: string; size: number }): boolean {
  if (!type.startsWith('image/') || NEVER.has(type) || size > BYTES_MAX) return false;
  return !STILL.has(type) || size >= BYTES_MIN;
}

/** Returns the size at which a picture is uploaded. */
export function scaledSize(width: number, height: number): { width: number; height: number } {
  const factor = Math.min(1, SIDE_MAX / Math.max(width, height));
  return { width: Math.max(1, Math.round(width * factor)), height: Math.max(1, Math.round(height * factor)) };
}

/** Returns the picture with fewer pixels and upright, or the file itself where nothing is gained or it cannot be decoded. */
export async function scaled(file: Blob): Promise<Blob> {
  if (!mayScale(file) || typeof createImageBitmap !== 'function' || typeof OffscreenCanvas !== 'function') return file;
  try {
    const bitmap = await createImageBitmap(file, { imageOrientation: 'from-image' });
    try {
      const { width, height } = scaledSize(bitmap.width, bitmap.height);
      const canvas = new OffscreenCanvas(width, height);
      const context = canvas.getContext('2d');
      if (!context) return file;
      context.imageSmoothingQuality = 'high';
      context.drawImage(bitmap, 0, 0, width, height);
      const made = await canvas.convertToBlob({ type: 'image/webp', quality: QUALITY });
      // A browser that cannot write WebP writes PNG, which is larger than what it came from.
      if (made.type !== 'image/webp') return STILL.has(file.type) ? file : await canvas.convertToBlob({ type: 'image/jpeg', quality: QUALITY });
      return STILL.has(file.type) && made.size > file.size * SHARE_MAX ? file : made;
    } finally {
      bitmap.close();
    }
  } catch {
    return file;
  }
}

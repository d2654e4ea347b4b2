// Decoder of thumbhashes (https://evanw.github.io/thumbhash): some 25 bytes that describe a picture as a sum of cosine
// waves, drawn before its bytes come.

/** A small picture: four bytes a pixel, row by row. */
export interface Placeholder {
  width: number;
  height: number;
  /** RGBA of each pixel, not multiplied with alpha. */
  pixels: Uint8ClampedArray<ArrayBuffer>;
}

/** Longest side of a placeholder in pixels. */
const SIDE = 32;
/** Bytes before the waves: 24 bits of averages, 16 bits of sizes; one more where there is alpha. */
const HEADER_BYTES = 5;
const HASH_BYTES_MAX = 64;
/** Colours lose contrast in four bits; the reference decoder raises it by this. */
const SATURATION = 1.25;

/** Strengths of the waves of one channel. */
interface Channel {
  mean: number;
  columns: number;
  rows: number;
  waves: number[];
}

/** Decodes a thumbhash in Base64; null for a text that is none. */
export function readThumbhash(text: string): Placeholder | null {
  const hash = bytesOf(text);
  if (!hash || hash.length < HEADER_BYTES || hash.length > HASH_BYTES_MAX) return null;
  const at = (index: number): number => hash[index] ?? 0;
  const averages = at(0) | (at(1) << 8) | (at(2) << 16);
  const sizes = at(3) | (at(4) << 8);
  const hasAlpha = averages >> 23 !== 0;
  const isLandscape = sizes >> 15 !== 0;
  const long = hasAlpha ? 5 : 7;
  const [wide, high] = isLandscape ? [long, sizes & 7] : [sizes & 7, long];
  if (wide === 0 || high === 0) return null;
  let nibble = (hasAlpha ? HEADER_BYTES + 1 : HEADER_BYTES) * 2;
  const channel = (mean: number, scale: number, columns: number, rows: number): Channel => {
    const waves: number[] = [];
    for (let row = 0; row < rows; row += 1) {
      for (let column = row === 0 ? 1 : 0; column * rows < columns * (rows - row); column += 1) {
        const strength = (at(nibble >> 1) >> ((nibble & 1) << 2)) & 15;
        nibble += 1;
        waves.push((strength / 7.5 - 1) * scale);
      }
    }
    return { mean, columns, rows, waves };
  };
  const light = channel((averages & 63) / 63, ((averages >> 18) & 31) / 31, Math.max(3, wide), Math.max(3, high));
  const yellowBlue = channel(((averages >> 6) & 63) / 31.5 - 1, (((sizes >> 3) & 63) / 63) * SATURATION, 3, 3);
  const redGreen = channel(((averages >> 12) & 63) / 31.5 - 1, (((sizes >> 9) & 63) / 63) * SATURATION, 3, 3);
  const alpha = hasAlpha ? channel((at(5) & 15) / 15, (at(5) >> 4) / 15, 5, 5) : { mean: 1, columns: 0, rows: 0, waves: [] };
  const ratio = wide / high;
  const [width, height] = [Math.round(ratio > 1 ? SIDE : SIDE * ratio), Math.round(ratio > 1 ? SIDE / ratio : SIDE)];
  return { width, height, pixels: paint(width, height, [light, yellowBlue, redGreen, alpha]) };
}

/** Draws a thumbhash on a canvas, whose size becomes that of the placeholder: style sheets stretch it. Returns whether it could. */
export function drawThumbhash(canvas: HTMLCanvasElement, text: string): boolean {
  const found = readThumbhash(text);
  const context = found && canvas.getContext('2d');
  if (!found || !context) return false;
  canvas.width = found.width;
  canvas.height = found.height;
  context.putImageData(new ImageData(found.pixels, found.width, found.height), 0, 0);
  return true;
}

function paint(width: number, height: number, [light, yellowBlue, redGreen, alpha]: [Channel, Channel, Channel, Channel]): Uint8ClampedArray<ArrayBuffer> {
  const pixels = new Uint8ClampedArray(width * height * 4);
  const waves = (size: number, at: number): number[] => Array.from({ length: 7 }, (_, wave) => Math.cos((Math.PI / size) * (at + 0.5) * wave));
  const across = Array.from({ length: width }, (_, x) => waves(width, x));
  for (let y = 0; y < height; y += 1) {
    const down = waves(height, y);
    for (let x = 0; x < width; x += 1) {
      const of = (channel: Channel): number => sum(channel, across[x] ?? [], down);
      const [l, p, q] = [of(light), of(yellowBlue), of(redGreen)];
      const blue = l - (2 / 3) * p;
      const red = (3 * l - blue + q) / 2;
      const place = (y * width + x) * 4;
      [red, red - q, blue, of(alpha)].forEach((value, index) => {
        // Cut off, as the reference decoder does; the array would round.
        pixels[place + index] = Math.trunc(Math.max(0, 255 * Math.min(1, value)));
      });
    }
  }
  return pixels;
}

/** Returns a channel at one pixel: its mean, and all of its waves. */
function sum({ mean, columns, rows, waves }: Channel, across: number[], down: number[]): number {
  let value = mean;
  let index = 0;
  for (let row = 0; row < rows; row += 1) {
    for (let column = row === 0 ? 1 : 0; column * rows < columns * (rows - row); column += 1) {
      value += (waves[index] ?? 0) * (across[column] ?? 0) * (down[row] ?? 0) * 2;
      index += 1;
    }
  }
  return value;
}

function bytesOf(base64: string): Uint8Array | null {
  try {
    return Uint8Array.from(atob(base64), (c) => c.charCodeAt(0));
  } catch {
    return null;
  }
}

// Size of a danmaku on a stage of a given width: font, lines, rows and width. Widths of texts come from
// a function, so that tests need no browser.

import { type Clean, type SizeName } from './danmaku.ts';

/** Height of a row on a wide and on a narrow stage. */
const ROW_PX = { wide: 12, narrow: 10 };
const NARROW_PX = 640;
/** Rows of each size, and its font size in rows. */
const SIZES: Record<SizeName, { rows: number; letters: number }> = {
  small: { rows: 2, letters: 1.45 },
  normal: { rows: 3, letters: 1.9 },
  large: { rows: 4, letters: 2.7 },
};
/** Space at both sides of the letters, for their shadow and for the frame of an own danmaku. */
export const PADDING_PX = 6;
/** Share of the stage that one line may take. Longer texts have two lines and end in an ellipsis. */
const LINE_SHARE = 0.9;
const LINES_MAX = 2;
/** Two lines need a little more than half the width of one line, because lines break between words. */
const WRAP_SLACK = 1.15;
/** Side of an emote's box in letters' heights: the box is there before its image is. */
export const EMOTE_EM = 1.25;
/** Size of a tag's letters, and the space that a tag takes beside them. */
export const TAG_EM = 0.6;
export const TAG_PX = 20;
/** Size of the number of equal texts, and the space before it. */
export const TIMES_EM = 0.8;
export const TIMES_PX = 8;
export const WEIGHT = 600;

/** Returns the width of a text in a CSS font, in pixels. */
export type Measure = (text: string, font: string) => number;

export interface Layout {
  fontPx: number;
  family: string;
  /** Height of one line. */
  linePx: number;
  lines: number;
  rows: number;
  /** Width of the box without the number of equal texts. */
  widthPx: number;
}

/** Returns the height of one row on a stage of this width, for a multiple of the usual size. */
export function rowPxOf(stagePx: number, size: number): number {
  return Math.max(4, Math.round((stagePx < NARROW_PX ? ROW_PX.narrow : ROW_PX.wide) * size));
}

/** The stage for which a danmaku is laid out. */
export interface Ground {
  widthPx: number;
  /** Whole height, also of the part that danmaku in lanes do not use. */
  fullHeightPx: number;
  rowPx: number;
  family: string;
}

export function layOut(danmaku: Clean, { widthPx: stagePx, fullHeightPx, rowPx, family }: Ground, measure: Measure): Layout {
  const placedPx = (danmaku.place?.height ?? 0) * fullHeightPx;
  const { rows, letters } = placedPx > 0 ? sizeOf(placedPx / (SIZES.normal.letters * rowPx)) : sizeOf(danmaku.size);
  const fontPx = Math.max(1, Math.round(letters * rowPx));
  const onePx = 2 * PADDING_PX + tagPx(danmaku.tag, fontPx, family, measure) + piecesPx(danmaku, fontPx, family, measure);
  const linePx = Math.max(1, Math.floor(stagePx * LINE_SHARE));
  const lines = onePx <= linePx || danmaku.mode === 'placed' ? 1 : LINES_MAX;
  const widthPx = lines === 1 ? onePx : Math.min(linePx, Math.ceil((onePx / LINES_MAX) * WRAP_SLACK));
  return { fontPx, family, linePx: rows * rowPx, lines, rows: rows * lines, widthPx };
}

/** Returns the space that the number of equal texts takes behind the letters. */
export function timesPx(layout: Layout, count: number, measure: Measure): number {
  if (count < 2) return 0;
  // Digits differ in width; the widest of each place leaves space for the next numbers.
  const widest = timesOf(count).replace(/\d/g, '0');
  return Math.ceil(measure(widest, fontOf(Math.round(layout.fontPx * TIMES_EM), layout.family))) + TIMES_PX;
}

/** Returns the number of equal texts as it is shown. */
export function timesOf(count: number): string {
  return `×${count}`;
}

export function fontOf(px: number, family: string): string {
  return `${WEIGHT} ${px}px ${family}`;
}

function sizeOf(size: Clean['size']): { rows: number; letters: number } {
  if (typeof size !== 'number') return SIZES[size];
  const { rows, letters } = SIZES.normal;
  return { rows: Math.max(1, Math.ceil(rows * size)), letters: letters * size };
}

function piecesPx({ pieces }: Clean, fontPx: number, family: string, measure: Measure): number {
  const font = fontOf(fontPx, family);
  const px = pieces.map((piece) => {
    if (typeof piece === 'string') return measure(piece, font);
    return 'emote' in piece ? EMOTE_EM * fontPx : measure(piece.text, font);
  });
  return Math.ceil(px.reduce((sum, one) => sum + one, 0));
}

function tagPx(tag: string, fontPx: number, family: string, measure: Measure): number {
  return tag === '' ? 0 : Math.ceil(measure(tag, fontOf(Math.round(fontPx * TAG_EM), family))) + TAG_PX;
}

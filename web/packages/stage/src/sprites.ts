// Pictures of danmaku for the canvas painter: each text and style is painted once, and kept while it is
// in use and for later danmaku.

import { fontOf, PADDING_PX, TAG_EM, TAG_PX, TIMES_EM, TIMES_PX, timesOf } from './layout.ts';
import { Lru } from './lru.ts';
import { cssColor, type Flying, isDark } from './painter.ts';

/** Pixels of all kept pictures: 32 MiB. Pictures that fly are in memory beyond the limit. */
const PIXELS_MAX = 8 * 1024 * 1024;
/** Width of the outline in letters' heights. */
const OUTLINE_EM = 0.12;
const CORNER_PX = 8;
const GOLD = '#ffd27a';
const RIGHT_TO_LEFT = /^[^\p{L}]*[\p{Script=Hebrew}\p{Script=Arabic}\p{Script=Syriac}\p{Script=Thaana}]/u;

export class Sprites {
  #kept = new Lru<CanvasImageSource>(PIXELS_MAX);

  /** Returns the picture of a danmaku, for a number of device pixels in a pixel of the page. */
  of(flying: Flying, scale: number): CanvasImageSource {
    const key = keyOf(flying, scale);
    const kept = this.#kept.get(key);
    if (kept) return kept;
    const width = Math.max(1, Math.ceil(flying.box.widthPx * scale));
    const height = Math.max(1, Math.ceil(flying.box.heightPx * scale));
    const canvas = new OffscreenCanvas(width, height);
    const context = canvas.getContext('2d')!;
    context.scale(scale, scale);
    paint(context, flying);
    const picture = canvas.transferToImageBitmap();
    this.#kept.set(key, picture, width * height);
    return picture;
  }

  clear(): void {
    this.#kept.clear();
  }
}

function keyOf({ danmaku, layout, box, count }: Flying, scale: number): string {
  const { tag, text, color, lane } = danmaku;
  return [scale, layout.fontPx, layout.family, color, lane, count, box.widthPx, tag, text].join('\u0000');
}

function paint(context: OffscreenCanvasRenderingContext2D, { danmaku, layout, box, count }: Flying): void {
  const { fontPx, family, widthPx } = layout;
  const middlePx = box.heightPx / 2;
  paintFrame(context, danmaku.lane, box.widthPx, box.heightPx);
  context.textBaseline = 'middle';
  context.lineJoin = 'round';
  let leftPx = PADDING_PX;
  if (danmaku.tag !== '') leftPx += paintTag(context, danmaku.tag, leftPx, middlePx, fontPx, family);
  const rightToLeft = RIGHT_TO_LEFT.test(danmaku.text);
  context.direction = rightToLeft ? 'rtl' : 'ltr';
  context.textAlign = 'left';
  context.font = fontOf(fontPx, family);
  paintLetters(context, danmaku.text, leftPx, middlePx, fontPx, danmaku.color);
  if (count < 2) return;
  context.direction = 'ltr';
  context.font = fontOf(Math.round(fontPx * TIMES_EM), family);
  paintLetters(context, timesOf(count), widthPx - PADDING_PX + TIMES_PX, middlePx, fontPx, GOLD);
}

function paintLetters(context: OffscreenCanvasRenderingContext2D, text: string, xPx: number, yPx: number, fontPx: number, color: number | string): void {
  const dark = typeof color === 'number' && isDark(color);
  context.lineWidth = Math.max(2, fontPx * OUTLINE_EM);
  context.strokeStyle = dark ? 'rgb(255 255 255 / 80%)' : 'rgb(0 0 0 / 72%)';
  context.strokeText(text, xPx, yPx);
  context.fillStyle = typeof color === 'number' ? cssColor(color) : color;
  context.fillText(text, xPx, yPx);
}

function paintFrame(context: OffscreenCanvasRenderingContext2D, lane: string, widthPx: number, heightPx: number): void {
  if (lane !== 'own' && lane !== 'gift') return;
  context.beginPath();
  context.roundRect(1, 1, widthPx - 2, heightPx - 2, CORNER_PX);
  context.fillStyle = lane === 'own' ? 'rgb(8 12 22 / 30%)' : 'rgb(64 44 118 / 62%)';
  context.fill();
  if (lane !== 'own') return;
  context.lineWidth = 1.5;
  context.strokeStyle = 'rgb(255 255 255 / 65%)';
  context.stroke();
}

/** Paints a label before the text. Returns the width that it takes. */
function paintTag(context: OffscreenCanvasRenderingContext2D, tag: string, leftPx: number, middlePx: number, fontPx: number, family: string): number {
  const tagPx = Math.round(fontPx * TAG_EM);
  context.font = fontOf(tagPx, family);
  const lettersPx = Math.ceil(context.measureText(tag).width);
  context.beginPath();
  context.roundRect(leftPx, middlePx - tagPx * 0.75, lettersPx + 12, tagPx * 1.5, 5);
  context.fillStyle = GOLD;
  context.fill();
  context.fillStyle = '#1b1408';
  context.fillText(tag, leftPx + 6, middlePx);
  return lettersPx + TAG_PX;
}

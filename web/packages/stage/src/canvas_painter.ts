// Paints danmaku on a canvas with each animation frame, from pictures that are painted once.

import { type StageClock } from './clock.ts';
import { leftAt } from './lanes.ts';
import { type Flying, type Painter } from './painter.ts';
import { Sprites } from './sprites.ts';

/** More device pixels in a pixel of the page are not painted: the difference is not seen on moving text. */
const SCALE_MAX = 2;

export class CanvasPainter implements Painter {
  readonly #canvas = document.createElement('canvas');
  readonly #context: CanvasRenderingContext2D;
  readonly #sprites = new Sprites();
  #flying = new Map<Flying, CanvasImageSource>();
  #scale = 1;
  #frame: number | undefined;

  constructor(
    layer: HTMLElement,
    private readonly clock: StageClock,
    private readonly pageMs: () => number,
    private readonly onFrame: (pageMs: number) => void,
  ) {
    layer.append(this.#canvas);
    this.#context = this.#canvas.getContext('2d')!;
  }

  add(flying: Flying): void {
    this.#flying.set(flying, this.#sprites.of(flying, this.#scale));
    this.#next();
  }

  remove(flying: Flying): void {
    if (this.#flying.delete(flying)) this.#next();
  }

  update(flying: Flying): void {
    if (this.#flying.has(flying)) this.add(flying);
  }

  retime(): void {
    this.#next();
  }

  resize(widthPx: number, heightPx: number): void {
    const scale = Math.min(SCALE_MAX, devicePixelRatio || 1);
    const [width, height] = [Math.ceil(widthPx * scale), Math.ceil(heightPx * scale)];
    if (this.#canvas.width === width && this.#canvas.height === height) return;
    this.#canvas.width = width;
    this.#canvas.height = height;
    if (scale !== this.#scale) {
      this.#scale = scale;
      this.#sprites.clear();
      for (const flying of this.#flying.keys()) this.#flying.set(flying, this.#sprites.of(flying, scale));
    }
    this.#next();
  }

  close(): void {
    if (this.#frame !== undefined) cancelAnimationFrame(this.#frame);
    this.#flying.clear();
    this.#canvas.remove();
  }

  /** Paints with the next frame. */
  #next(): void {
    this.#frame ??= requestAnimationFrame(this.#paint);
  }

  #paint = (): void => {
    this.#frame = undefined;
    const pageMs = this.pageMs();
    const nowMs = this.clock.at(pageMs);
    const { width, height } = this.#canvas;
    this.#context.clearRect(0, 0, width, height);
    let moves = false;
    for (const [{ box }, sprite] of this.#flying) {
      if (nowMs >= box.endMs) continue;
      if (box.speedPxPerMs !== 0) moves = true;
      const x = Math.round(leftAt(box, nowMs) * this.#scale);
      if (x < width) this.#context.drawImage(sprite, x, Math.round(box.topPx * this.#scale));
    }
    if (!moves || !this.clock.running) return;
    this.onFrame(pageMs);
    this.#next();
  };
}

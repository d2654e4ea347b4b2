// Paints a background in place of a video: a night sky with a slow aurora over hills and water. The
// canvas is small and the browser scales it up, which costs little and looks soft. It is painted at
// most 15 times a second, and not while the page is hidden or a video covers it.

import { nextFrame } from '@barrage/ui/frames.ts';

const WIDTH = 480;
const HEIGHT = 270;
const HORIZON = 196;
const STARS = 90;
/** The aurora is painted at a third of the size, in columns of two pixels: scaling it up blurs it. */
const COLUMN = 2;
const GLOW_WIDTH = WIDTH / 3;
const GLOW_HEIGHT = HEIGHT / 3;

interface Ribbon {
  hue: number;
  base: number;
  height: number;
  speed: number;
  phase: number;
}

const RIBBONS: readonly Ribbon[] = [
  { hue: 168, base: 118, height: 92, speed: 0.11, phase: 0 },
  { hue: 205, base: 96, height: 76, speed: -0.08, phase: 2.1 },
  { hue: 266, base: 78, height: 64, speed: 0.06, phase: 4.4 },
];

export class Scene {
  #context: CanvasRenderingContext2D;
  #sky: HTMLCanvasElement;
  #glow: HTMLCanvasElement;
  #stars: { x: number; y: number; size: number; phase: number }[];

  #still = matchMedia('(prefers-reduced-motion: reduce)');
  #shades: HTMLCanvasElement[];

  constructor(private readonly canvas: HTMLCanvasElement) {
    canvas.width = WIDTH;
    canvas.height = HEIGHT;
    this.#context = canvas.getContext('2d', { alpha: false })!;
    const random = seeded(7);
    this.#sky = layer(WIDTH, HEIGHT);
    paintSky(this.#sky.getContext('2d')!);
    this.#glow = layer(GLOW_WIDTH, GLOW_HEIGHT);
    this.#shades = RIBBONS.map((ribbon) => shadeOf(ribbon.hue));
    this.#stars = Array.from({ length: STARS }, () => ({
      x: random() * WIDTH,
      y: random() ** 1.4 * (HORIZON - 40),
      size: 0.4 + random() * 0.8,
      phase: random() * Math.PI * 2,
    }));
    new MutationObserver(() => this.#next()).observe(canvas.parentElement!, { childList: true, subtree: true });
    document.addEventListener('visibilitychange', () => this.#next());
    this.#still.addEventListener('change', () => this.#next());
    this.#draw(0);
    this.#next();
  }

  /** Schedules the next paint, unless the page is hidden, has a video or reduces motion. */
  #next(): void {
    const video = this.canvas.parentElement?.querySelector('video') ?? null;
    this.canvas.hidden = video !== null;
    if (video || document.hidden || this.#still.matches) return;
    nextFrame(this.#frame);
  }

  #frame = (): void => {
    this.#draw(performance.now() / 1000);
    this.#next();
  };

  #draw(time: number): void {
    const context = this.#context;
    context.globalCompositeOperation = 'source-over';
    context.globalAlpha = 1;
    context.drawImage(this.#sky, 0, 0);
    context.fillStyle = '#dfe8ff';
    for (const star of this.#stars) {
      context.globalAlpha = 0.25 + 0.35 * (1 + Math.sin(time * 0.9 + star.phase)) * 0.5;
      context.fillRect(star.x, star.y, star.size, star.size);
    }
    this.#drawGlow(time);
    context.globalCompositeOperation = 'lighter';
    context.globalAlpha = 0.85;
    context.drawImage(this.#glow, 0, 0, WIDTH, HEIGHT);
    // The water mirrors the aurora, darker and with small waves.
    context.globalAlpha = 0.34;
    const depth = HEIGHT - HORIZON;
    for (let row = 0; row < depth; row += 1) {
      const sway = Math.sin(row * 0.4 + time * 1.2) * (0.4 + row * 0.04);
      const from = (HORIZON - 24 - row * 1.9) / 3;
      if (from > 0) context.drawImage(this.#glow, 0, from, GLOW_WIDTH, 1, sway, HORIZON + row, WIDTH, 1);
    }
    context.globalCompositeOperation = 'source-over';
    context.globalAlpha = 1;
    drawHills(context);
  }

  #drawGlow(time: number): void {
    const context = this.#glow.getContext('2d')!;
    context.globalCompositeOperation = 'source-over';
    context.clearRect(0, 0, GLOW_WIDTH, GLOW_HEIGHT);
    context.globalCompositeOperation = 'lighter';
    for (const [index, ribbon] of RIBBONS.entries()) {
      const shade = this.#shades[index]!;
      const t = time * ribbon.speed * 2 + ribbon.phase;
      for (let x = 0; x < GLOW_WIDTH; x += COLUMN) {
        const u = x / GLOW_WIDTH;
        const fold = Math.sin(u * 5.2 + t) * 15 + Math.sin(u * 11.3 - t * 1.7) * 6;
        const strength = 0.5 + 0.5 * Math.sin(u * 7.1 + t * 1.3 + ribbon.phase);
        const fine = 0.8 + 0.2 * Math.sin(u * 63 + t * 4);
        const foot = (ribbon.base + fold + u * 18) / 3;
        const top = foot - (ribbon.height * (0.55 + 0.45 * strength)) / 3;
        context.globalAlpha = (0.1 + 0.42 * strength * strength) * fine;
        context.drawImage(shade, x, top, COLUMN, foot + 4 - top);
      }
    }
    context.globalAlpha = 1;
  }
}

const SHADE_HEIGHT = 64;

/** Paints one column of a ribbon, from its soft top to its foot. */
function shadeOf(hue: number): HTMLCanvasElement {
  const shade = layer(1, SHADE_HEIGHT);
  const context = shade.getContext('2d')!;
  const gradient = context.createLinearGradient(0, 0, 0, SHADE_HEIGHT);
  gradient.addColorStop(0, `hsla(${hue + 50}, 80%, 60%, 0)`);
  gradient.addColorStop(0.7, `hsl(${hue}, 75%, 56%)`);
  gradient.addColorStop(1, `hsla(${hue - 12}, 80%, 60%, 0)`);
  context.fillStyle = gradient;
  context.fillRect(0, 0, 1, SHADE_HEIGHT);
  return shade;
}

function layer(width: number, height: number): HTMLCanvasElement {
  const canvas = document.createElement('canvas');
  canvas.width = width;
  canvas.height = height;
  return canvas;
}

function paintSky(context: CanvasRenderingContext2D): void {
  const sky = context.createLinearGradient(0, 0, 0, HORIZON);
  sky.addColorStop(0, '#070b18');
  sky.addColorStop(0.55, '#0e1830');
  sky.addColorStop(1, '#1d2c4c');
  context.fillStyle = sky;
  context.fillRect(0, 0, WIDTH, HORIZON);
  const water = context.createLinearGradient(0, HORIZON, 0, HEIGHT);
  water.addColorStop(0, '#15233e');
  water.addColorStop(1, '#070b15');
  context.fillStyle = water;
  context.fillRect(0, HORIZON, WIDTH, HEIGHT - HORIZON);
}

function drawHills(context: CanvasRenderingContext2D): void {
  ridge(context, '#111c33', 30, (u) => Math.sin(u * 6.1 + 0.6) * 9 + Math.sin(u * 15 + 2) * 4 + u * 8);
  ridge(context, '#0a1121', 15, (u) => Math.sin(u * 4.3 + 3.4) * 9 + Math.sin(u * 21) * 2.2 - u * 6);
}

function ridge(context: CanvasRenderingContext2D, color: string, height: number, shape: (u: number) => number): void {
  context.fillStyle = color;
  context.beginPath();
  context.moveTo(0, HORIZON + 1);
  for (let x = 0; x <= WIDTH; x += 6) context.lineTo(x, HORIZON - Math.max(2, height + shape(x / WIDTH)));
  context.lineTo(WIDTH, HORIZON + 1);
  context.fill();
}

/** Pseudo-random numbers from a seed (mulberry32), so that all viewers see the same stars. */
function seeded(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
}

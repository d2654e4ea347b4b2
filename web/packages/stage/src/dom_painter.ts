// Paints danmaku as elements. One Web Animation for each danmaku moves it on the browser's compositor,
// so that danmaku go on moving while the main thread is busy.

import { type StageClock } from './clock.ts';
import { type Piece, type Place } from './danmaku.ts';
import { type Box, leftAt } from './lanes.ts';
import { timesOf } from './layout.ts';
import { cssColor, type Flying, isDark, type Painter } from './painter.ts';
import { type Path } from './path.ts';

/** A standing danmaku disappears this long before its place is free: a busy page may show it a frame longer. */
const LEAVE_MS = 250;
/**
 * An animation lasts this much longer than its danmaku is in view. Chromium runs main-thread frames
 * around the end of each animation, so the stage cancels every animation before that end.
 */
const TAIL_MS = 10_000;
/** Left of the stage by this much is out of view on every screen. */
const AWAY_PX = 20_000;

interface Shown {
  node: HTMLElement;
  times: HTMLElement | null;
  animation: Animation;
}

export class DomPainter implements Painter {
  #shown = new Map<Flying, Shown>();

  constructor(
    private readonly layer: HTMLElement,
    private readonly clock: StageClock,
    private readonly pageMs: () => number,
  ) {}

  add(flying: Flying): void {
    const node = nodeOf(flying);
    this.layer.append(node);
    const shown: Shown = { node, times: null, animation: this.#animate(node, flying) };
    this.#shown.set(flying, shown);
    writeTimes(shown, flying.count);
  }

  /** Cancels first: the animation of an element that is not in the page runs on the main thread. */
  remove(flying: Flying): void {
    const shown = this.#shown.get(flying);
    if (!shown) return;
    shown.animation.cancel();
    shown.node.remove();
    this.#shown.delete(flying);
  }

  update(flying: Flying): void {
    const shown = this.#shown.get(flying);
    if (!shown) return;
    writeTimes(shown, flying.count);
    const width = `${flying.box.widthPx}px`;
    if (shown.node.style.width === width) return;
    shown.node.style.width = width;
    const before = shown.animation;
    shown.animation = this.#animate(shown.node, flying);
    before.cancel();
  }

  retime(): void {
    for (const [{ box }, { animation }] of this.#shown) this.#time(animation, box);
  }

  resize(): void {
    // Elements keep their places.
  }

  close(): void {
    for (const flying of [...this.#shown.keys()]) this.remove(flying);
  }

  #animate(node: HTMLElement, { box, danmaku, path }: Flying): Animation {
    const frames = danmaku.place && path ? placedFrames(box, danmaku.place, path) : keyframesOf(box);
    const animation = node.animate(frames, { duration: box.endMs + TAIL_MS - box.startMs });
    this.#time(animation, box);
    return animation;
  }

  /** All boxes use one clock, which starts when their places were chosen: no two boxes drift apart. */
  #time(animation: Animation, box: Box): void {
    if (this.clock.running) {
      animation.playbackRate = this.clock.rate;
      animation.startTime = this.clock.pageMsOf(box.startMs);
    } else {
      animation.pause();
      animation.currentTime = this.clock.at(this.pageMs()) - box.startMs;
    }
  }
}

/** Returns the path of a box from its start to `TAIL_MS` after its end, when it is out of view. */
function keyframesOf(box: Box): Keyframe[] {
  const at = (leftPx: number, offset: number): Keyframe => ({ transform: `translate(${leftPx}px, ${box.topPx}px)`, offset });
  const goneMs = box.endMs + TAIL_MS;
  if (box.speedPxPerMs !== 0) return [at(box.leftPx, 0), at(leftAt(box, goneMs), 1)];
  const leaves = Math.max(0, box.endMs - LEAVE_MS - box.startMs) / (goneMs - box.startMs);
  return [at(box.leftPx, 0), at(box.leftPx, leaves), at(-AWAY_PX, leaves), at(-AWAY_PX, 1)];
}

/** Returns the path of a placed danmaku, which its box contains. */
function placedFrames(box: Box, place: Required<Place>, path: Path): Keyframe[] {
  const allMs = box.endMs + TAIL_MS - box.startMs;
  const share = (ms: number): number => Math.min(1, ms / allMs);
  const at = ([x, y]: readonly [number, number]): string => `translate(${x}px, ${y}px) rotate(${place.rotateDeg}deg) rotateY(${place.turnDeg}deg)`;
  const from = at(path.fromPx);
  const to = at(path.toPx);
  const fade = (ms: number): number => place.fromOpacity + (place.toOpacity - place.fromOpacity) * Math.min(1, ms / place.durationMs);
  const shown = (transform: string, ms: number): Keyframe => ({ transform, opacity: fade(ms), offset: share(ms) });
  const endMs = place.delayMs + place.moveMs;
  return [
    shown(from, 0),
    shown(from, place.delayMs),
    shown(to, endMs),
    shown(to, place.durationMs),
    { transform: `translate(${-AWAY_PX}px, 0)`, opacity: 0, offset: share(place.durationMs) },
    { transform: `translate(${-AWAY_PX}px, 0)`, opacity: 0, offset: 1 },
  ];
}

function nodeOf({ danmaku, layout, box }: Flying): HTMLElement {
  const node = document.createElement('span');
  const size = typeof danmaku.size === 'number' ? 'normal' : danmaku.size;
  node.className = `danmaku ${size} ${danmaku.lane}`;
  node.dir = 'auto';
  if (danmaku.tag !== '') {
    const tag = document.createElement('b');
    tag.className = 'tag';
    tag.textContent = danmaku.tag;
    node.append(tag);
  }
  node.append(...danmaku.pieces.map(partOf));
  const { style } = node;
  style.fontSize = `${layout.fontPx}px`;
  style.fontFamily = layout.family;
  style.lineHeight = `${layout.linePx}px`;
  style.color = cssColor(danmaku.color);
  style.width = `${danmaku.place ? layout.widthPx : box.widthPx}px`;
  style.height = `${layout.linePx * layout.lines}px`;
  if (danmaku.place) style.transformOrigin = '0 0';
  if (layout.lines > 1) node.classList.add('wrapped');
  if (isDark(danmaku.color)) node.classList.add('dark');
  return node;
}

function partOf(piece: Piece): Node | string {
  if (typeof piece === 'string') return piece;
  if ('emote' in piece) {
    const image = document.createElement('img');
    image.className = 'emote';
    image.alt = piece.emote;
    image.decoding = 'async';
    image.referrerPolicy = 'no-referrer';
    // Without the image its word remains.
    image.addEventListener('error', () => image.replaceWith(piece.emote), { once: true });
    image.src = piece.url;
    return image;
  }
  const link = document.createElement('a');
  link.className = 'link';
  link.textContent = piece.text;
  link.href = piece.link;
  // The layer is hidden from screen readers, so that the keyboard must not reach it.
  link.tabIndex = -1;
  link.target = '_blank';
  link.rel = 'noopener noreferrer nofollow';
  return link;
}

/** Writes the number of equal texts, from the second one on. */
function writeTimes(shown: Shown, count: number): void {
  if (count < 2) {
    shown.times?.remove();
    shown.times = null;
    return;
  }
  if (!shown.times) {
    shown.times = document.createElement('b');
    shown.times.className = 'times';
    shown.node.append(shown.times);
  }
  shown.times.textContent = timesOf(count);
}

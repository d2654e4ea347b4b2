// Shows danmaku over the scene. `Admission` decides where and when each danmaku is shown; one Web
// Animation for each danmaku moves it on the browser's compositor, so that danmaku go on moving
// while the main thread is busy.

import { Admission, type Placed, type Rank } from '@barrage/stage/admission.ts';
import { piecesOf } from '../chat/emotes.ts';
import { cssColor, element } from '@barrage/ui/dom.ts';
import { nextFrame } from '@barrage/ui/frames.ts';
import { inLanguage, roleKey, t, count } from '../page/i18n.ts';
import { type Box, leftAt } from '@barrage/stage/lanes.ts';
import { type Chat, type Size, type Style } from '@barrage/client/protocol.ts';

/** Height of a row on a wide and on a narrow stage. */
const ROW_PX = { wide: 12, narrow: 10 };
const NARROW_PX = 640;
/** Rows of each size, and its font size in rows. */
const SIZES: Record<Size, { rows: number; letters: number }> = {
  small: { rows: 2, letters: 1.45 },
  normal: { rows: 3, letters: 1.9 },
  large: { rows: 4, letters: 2.7 },
};
/** Space beside the letters, for their shadow and for the frame of an own danmaku. */
const PADDING_PX = 6;
/** Share of the stage that one line may take. Longer texts have two lines and end in an ellipsis. */
const LINE_SHARE = 0.9;
const LINES_MAX = 2;
/** Two lines need a little more than half the width of one line, because lines break between words. */
const WRAP_SLACK = 1.15;
/** A standing danmaku disappears this long before its place is free: a busy page may show it a frame longer. */
const LEAVE_MS = 250;
/**
 * An animation lasts this much longer than its danmaku is in view. Chromium runs main-thread frames
 * around the end of each animation, so the stage cancels every animation before that end.
 */
const TAIL_MS = 10_000;
/** Left of the stage by this much is out of view on every screen. */
const AWAY_PX = 20_000;
/** The number of missed danmaku starts again after this time without one. */
const MISSED_KEPT_MS = 10_000;
/** The shown number of missed danmaku changes at most this often. */
const MISSED_WRITE_MS = 1_000;

/** Text in pieces: strings and images of emotes. */
type Words = (string | HTMLImageElement)[];

interface Flight {
  key: number;
  user: string;
  words: Words;
  tag: string;
  style: Style;
  rank: Rank;
  lines: number;
  widthPx: number;
  rowPx: number;
}

/** A danmaku on the stage. */
interface Shown {
  key: number;
  user: string;
  node: HTMLElement;
  animation: Animation;
}

export class Stage {
  visible = true;
  #still = matchMedia('(prefers-reduced-motion: reduce)');
  #admission: Admission<Flight>;
  #shown = new Map<Box, Shown>();
  #measure = document.createElement('canvas').getContext('2d')!;
  #family: string;
  #rowPx = ROW_PX.wide;
  #widthPx = 0;
  #own = 0;
  #missed = 0;
  #missedMs = -Infinity;
  #writtenMs = -Infinity;

  constructor(
    private readonly flight: HTMLElement,
    private readonly missed: HTMLElement,
  ) {
    this.#family = getComputedStyle(document.body).fontFamily;
    this.#admission = new Admission(this.#size());
    new ResizeObserver(() => this.#admission.resize(this.#size())).observe(flight);
    document.addEventListener('visibilitychange', () => {
      if (document.hidden) this.#admission.forgetWaiting();
    });
    this.#still.addEventListener('change', () => this.#clear());
    inLanguage(() => this.#writeMissed());
  }

  /** Shows a chat message when a lane is free in time. */
  fly(chat: Chat, sequence: number | null, origin: 'own' | 'other'): void {
    const role = roleKey(chat.role);
    this.#offer(sequence, chat.user, piecesOf(chat.text, chat.emotes ?? []), role ? t(role) : '', chat.style, origin);
  }

  /** Shows a gift or a super chat, before the danmaku of others. */
  flyPaid(words: string, user: string, sequence: number | null, origin: 'own' | 'other'): void {
    const style: Style = { mode: 'scroll', size: 'normal', color: 0xffd27a };
    this.#offer(sequence, user, [words], '', style, origin === 'own' ? 'own' : 'paid');
  }

  /** Removes a message that a moderator has recalled. */
  recall(sequence: number): void {
    this.#admission.withdraw((flight) => flight.key === sequence);
    for (const shown of this.#shown.values()) if (shown.key === sequence) takeAway(shown);
  }

  /** Removes all that a user wrote, or everything. */
  hide(user: string | null): void {
    const is = (one: { user: string }) => user === null || one.user === user;
    this.#admission.withdraw(is);
    for (const shown of this.#shown.values()) if (is(shown)) takeAway(shown);
  }

  show(visible: boolean): void {
    this.visible = visible;
    this.flight.hidden = !visible;
    if (!visible) this.#clear();
  }

  #size(): { widthPx: number; heightPx: number; rowPx: number } {
    const { clientWidth: widthPx, clientHeight: heightPx } = this.flight;
    this.#widthPx = widthPx;
    this.#rowPx = widthPx < NARROW_PX ? ROW_PX.narrow : ROW_PX.wide;
    return { widthPx, heightPx, rowPx: this.#rowPx };
  }

  #clear(): void {
    this.#admission.clear();
    for (const shown of this.#shown.values()) takeAway(shown);
    this.#shown.clear();
    this.#missed = 0;
    this.#writeMissed();
  }

  #offer(sequence: number | null, user: string, words: Words, tag: string, style: Style, rank: Rank): void {
    const stagePx = this.#widthPx;
    if (document.hidden || !this.visible || stagePx === 0) return;
    const { rows, letters } = SIZES[style.size];
    const fontPx = Math.round(letters * this.#rowPx);
    const onePx = this.#widthOf(words, tag, fontPx);
    const linePx = Math.floor(stagePx * LINE_SHARE);
    const lines = onePx <= linePx ? 1 : LINES_MAX;
    const widthPx = lines === 1 ? onePx : Math.min(linePx, Math.ceil((onePx / LINES_MAX) * WRAP_SLACK));
    const key = sequence ?? (this.#own -= 1);
    const item: Flight = { key, user, words, tag, style, rank, lines, widthPx, rowPx: this.#rowPx };
    this.#admission.offer({ motion: style.mode, widthPx, rows: rows * lines, rank, item }, timelineMs());
    nextFrame(this.#turn);
  }

  /** Returns the width of a danmaku on one line, in pixels. */
  #widthOf(words: Words, tag: string, fontPx: number): number {
    this.#measure.font = `600 ${fontPx}px ${this.#family}`;
    const px = (piece: Words[number]): number =>
      typeof piece === 'string' ? this.#measure.measureText(piece).width : EMOTE_EM * fontPx;
    const wordsPx = words.reduce((sum, piece) => sum + px(piece), 0);
    if (tag === '') return Math.ceil(wordsPx) + 2 * PADDING_PX;
    this.#measure.font = `600 ${Math.round(fontPx * 0.6)}px ${this.#family}`;
    return Math.ceil(wordsPx + this.#measure.measureText(tag).width) + 2 * PADDING_PX + TAG_PX;
  }

  #turn = (): void => {
    const nowMs = timelineMs();
    this.#admission.still = this.#still.matches;
    const { placed, ended, missed } = this.#admission.turn(nowMs);
    for (const box of ended) {
      const shown = this.#shown.get(box);
      if (shown) takeAway(shown);
      this.#shown.delete(box);
    }
    for (const one of placed) this.#launch(one);
    if (missed.length > 0) {
      this.#missed += missed.length;
      this.#missedMs = nowMs;
    }
    if (nowMs - this.#missedMs > MISSED_KEPT_MS) this.#missed = 0;
    if (nowMs - this.#writtenMs >= MISSED_WRITE_MS) {
      this.#writtenMs = nowMs;
      this.#writeMissed();
    }
    if (this.#admission.busy || this.#missed > 0) nextFrame(this.#turn);
  };

  #launch({ item, box }: Placed<Flight>): void {
    const node = danmakuNode(item);
    node.style.width = `${box.widthPx}px`;
    node.style.height = `${box.heightPx}px`;
    this.flight.append(node);
    const animation = node.animate(keyframesOf(box), { duration: box.endMs + TAIL_MS - box.startMs });
    // All boxes use one clock, which starts when their places were chosen: no two boxes drift apart.
    animation.startTime = box.startMs;
    this.#shown.set(box, { node, key: item.key, user: item.user, animation });
  }

  #writeMissed(): void {
    this.missed.hidden = this.#missed === 0;
    if (this.#missed > 0) this.missed.textContent = t('missed', { count: count(this.#missed) });
  }
}

/** Side of an emote's box in letters' heights, as style.css sets it: the box is there before its image is. */
const EMOTE_EM = 1.25;
/** Space that a tag takes beside its letters, as style.css sets it. */
const TAG_PX = 20;

function timelineMs(): number {
  return Number(document.timeline.currentTime ?? performance.now());
}

/** Cancels first: the animation of an element that is not in the page runs on the main thread. */
function takeAway({ node, animation }: Shown): void {
  animation.cancel();
  node.remove();
}

/** Returns the path of a box from its start to `TAIL_MS` after its end, when it is out of view. */
function keyframesOf(box: Box): Keyframe[] {
  const at = (leftPx: number, offset: number): Keyframe => ({ transform: `translate(${leftPx}px, ${box.topPx}px)`, offset });
  const goneMs = box.endMs + TAIL_MS;
  if (box.speedPxPerMs > 0) return [at(box.leftPx, 0), at(leftAt(box, goneMs), 1)];
  const leaves = (box.endMs - LEAVE_MS - box.startMs) / (goneMs - box.startMs);
  return [at(box.leftPx, 0), at(box.leftPx, leaves), at(-AWAY_PX, leaves), at(-AWAY_PX, 1)];
}

function danmakuNode({ words, tag, style, rank, lines, rowPx }: Flight): HTMLElement {
  const { rows, letters } = SIZES[style.size];
  const node = element('span', `danmaku ${style.size} ${rank}`, ...(tag === '' ? [] : [element('b', 'tag', tag)]), ...words);
  node.dir = 'auto';
  node.style.fontSize = `${Math.round(letters * rowPx)}px`;
  node.style.lineHeight = `${rows * rowPx}px`;
  node.style.color = cssColor(style.color);
  if (lines > 1) node.classList.add('wrapped');
  if (luminance(style.color) < DARK_MAX) node.classList.add('dark');
  return node;
}

/** Letters that are darker than this get a light outline. */
const DARK_MAX = 0.35;

/** Returns 0 for black to 1 for white. */
function luminance(rgb: number): number {
  return (0.2126 * (rgb >> 16) + 0.7152 * ((rgb >> 8) & 255) + 0.0722 * (rgb & 255)) / 255;
}

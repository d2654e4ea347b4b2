// A stage of danmaku in an element of the page: `Flights` decides what is shown, painters show it, and
// the stage follows the page's size, clock, visibility and clicks.

import { CanvasPainter } from './canvas_painter.ts';
import { StageClock } from './clock.ts';
import { type Counts, Missed } from './counts.ts';
import { clean, type Danmaku, isPlain } from './danmaku.ts';
import { DomPainter } from './dom_painter.ts';
import { Emitter } from './emitter.ts';
import { Flights } from './flights.ts';
import { FrameTime } from './frame_time.ts';
import { type Box, boxAt } from './lanes.ts';
import { type Measure } from './layout.ts';
import { type Mask, maskImage, Schedule } from './mask.ts';
import { type Flight, type Painter } from './painter.ts';
import { changed, DEFAULTS, type Settings } from './settings.ts';
import { adopt } from './sheet.ts';
import { type Timed, Timeline } from './timeline.ts';
import { FRAME_MS, frames, type Frames } from './ticker.ts';

/** The shown number of missed danmaku changes at most this often. */
const MISSED_WRITE_MS = 1_000;
/** Time between two frames of a screen. */
const SCREEN_FRAME_MS = 1_000 / 60;
/** A seek computes what started in this time before; slower danmaku may begin later than without a seek. */
const SEEK_BEFORE_MS = 15_000;
const SEEK_STEP_MS = 100;
/** After a longer pause of a hidden page, the stage shows what would be flying instead of all that is due. */
const JUMP_MS = 3_000;

export interface Options {
  settings?: Partial<Settings>;
  /**
   * `dom` moves elements on the browser's compositor; `canvas` paints pictures with each frame. Danmaku
   * with emotes, links, two lines or a place of their own are elements with both.
   */
  painter?: 'dom' | 'canvas';
  /** Texts that the stage writes into the page. */
  labels?: { missed: (count: number) => string };
  /** Element that shows the number of missed danmaku; hidden while there are none. */
  missed?: HTMLElement;
  /** Element whose clicks count; by default the container. */
  clicks?: HTMLElement;
  /** Runs work with the page's next frame, so that the stage and the page change together. */
  frames?: Frames;
}

export interface Click {
  /** Position and author of the first message that the danmaku shows. */
  sequence: number | null;
  user: string;
  text: string;
  event: MouseEvent;
}

interface Events {
  click: Click;
}

export class Stage {
  readonly #events = new Emitter<Events>();
  readonly #reduced = matchMedia('(prefers-reduced-motion: reduce)');
  readonly #layer = document.createElement('div');
  readonly #clock = new StageClock(pageMs());
  readonly #missed = new Missed();
  readonly #masks = new Schedule<Mask>();
  readonly #frameTime = new FrameTime();
  readonly #frames: Frames;
  readonly #dom: Painter;
  readonly #canvas: Painter | null;
  readonly #flights: Flights;
  readonly #resizes: ResizeObserver;
  readonly #ends = new AbortController();
  #timeline = new Timeline([]);
  #settings: Settings;
  #family = '';
  #widthPx = 0;
  #visible = true;
  #turnMs = -Infinity;
  #writtenMs = -Infinity;

  constructor(
    private readonly container: HTMLElement,
    private readonly options: Options = {},
  ) {
    this.#settings = changed(DEFAULTS, options.settings ?? {});
    this.#frames = options.frames ?? frames();
    this.#layer.className = 'barrage-stage';
    // Screen readers read the list; danmaku that come and go would interrupt it.
    this.#layer.setAttribute('aria-hidden', 'true');
    container.append(this.#layer);
    adopt(container);
    const onFrame = (nowMs: number): void => this.#frameTime.frame(nowMs, SCREEN_FRAME_MS);
    this.#canvas = options.painter === 'canvas' ? new CanvasPainter(this.#layer, this.#clock, pageMs, onFrame) : null;
    this.#dom = new DomPainter(this.#layer, this.#clock, pageMs);
    this.#flights = new Flights({ measure: measureOf(document.createElement('canvas')), painterOf: (flight) => this.#painterOf(flight) });
    this.#apply();
    this.#resizes = new ResizeObserver(() => this.#resize());
    this.#resizes.observe(this.#layer);
    const { signal } = this.#ends;
    document.addEventListener('visibilitychange', () => this.#flights.forgetWaiting(), { signal });
    this.#reduced.addEventListener('change', () => this.clear(), { signal });
    (options.clicks ?? container).addEventListener('click', (event) => this.#click(event), { signal });
  }

  get visible(): boolean {
    return this.#visible;
  }

  get settings(): Settings {
    return this.#settings;
  }

  /** Numbers since the start. */
  get counts(): Counts {
    return this.#flights.counts;
  }

  /** Time of the stage in milliseconds: it stops with `pause` and jumps with `seek`. */
  get timeMs(): number {
    return this.#clock.at(pageMs());
  }

  /** Boxes of the danmaku that fly, with their texts. */
  get flying(): (Box & { text: string; user: string; count: number })[] {
    return [...this.#flights.flying].map(({ box, danmaku, count }) => ({ ...box, text: danmaku.text, user: danmaku.user, count }));
  }

  /** Adds a listener. Returns its remover. */
  on<Name extends keyof Events>(name: Name, listener: (event: Events[Name]) => void): () => void {
    return this.#events.on(name, listener);
  }

  /** Shows a danmaku when a lane is free in time. */
  fly(given: Danmaku): void {
    const danmaku = clean(given);
    if (!danmaku || document.hidden || !this.#visible || this.#widthPx === 0) return this.#flights.unseen();
    this.#flights.offer(danmaku, this.#family, this.timeMs);
    this.#frames(this.#turn);
  }

  /** Removes a message that a moderator has recalled. */
  recall(sequence: number): void {
    this.#flights.remove((member) => member.sequence === sequence);
  }

  /** Removes all that a user wrote; with null all that everybody wrote. */
  purge(user: string | null): void {
    this.#flights.remove((member) => user === null || member.user === user);
  }

  /** Changes settings. Danmaku that the viewer does not want any more leave at once. */
  set(settings: Partial<Settings>): void {
    this.#settings = changed(this.#settings, settings);
    this.#apply();
  }

  /** Stops all danmaku where they are, as when the player is paused. */
  pause(): void {
    this.#retime(() => this.#clock.run(pageMs(), false));
  }

  play(): void {
    this.#retime(() => this.#clock.run(pageMs(), true));
  }

  /** Follows the player's rate: 2 is twice the speed. */
  rate(rate: number): void {
    if (rate > 0 && Number.isFinite(rate)) this.#retime(() => this.#clock.setRate(pageMs(), rate));
  }

  /** Shows only the opaque parts of the stage, from a time of the stage on; without one from now on. */
  mask(mask: Mask, atMs = -Infinity): void {
    this.#masks.add(mask, atMs);
    if (atMs <= this.timeMs) this.#applyMask();
    else this.#frames(this.#turn);
  }

  /** Takes the danmaku of a recording: each flies when the time of the stage comes to it. `seek` follows. */
  load(items: readonly Timed[]): void {
    this.#timeline = new Timeline(items);
    this.#timeline.seek(this.timeMs);
    this.#frames(this.#turn);
  }

  /** Jumps to a time of the recording, and shows what would be flying there. */
  seek(atMs: number): void {
    this.#masks.clear();
    this.#clock.seek(pageMs(), atMs);
    this.#missed.clear();
    this.#flights.compute(() => {
      this.#limit();
      this.#timeline.seek(atMs - SEEK_BEFORE_MS);
      for (let nowMs = atMs - SEEK_BEFORE_MS; nowMs < atMs; nowMs += SEEK_STEP_MS) {
        this.#due(nowMs);
        this.#flights.turn(nowMs);
      }
      this.#flights.turn(atMs);
    });
    this.#timeline.seek(atMs);
    this.#turnMs = atMs;
    this.#frames(this.#turn);
  }

  show(visible: boolean): void {
    this.#visible = visible;
    this.#layer.hidden = !visible;
    if (!visible) this.clear();
  }

  /** Removes all danmaku, those that fly and those that wait. */
  clear(): void {
    this.#flights.clear();
    this.#missed.clear();
    this.#writeMissed();
  }

  /** Writes the texts again, after the page has changed its language. */
  relabel(): void {
    this.#writeMissed();
  }

  /** Removes the stage from the page. */
  close(): void {
    this.#timeline = new Timeline([]);
    this.clear();
    this.#ends.abort();
    this.#resizes.disconnect();
    this.#dom.close();
    this.#canvas?.close();
    this.#layer.remove();
    this.#events.clear();
  }

  #painterOf({ danmaku, layout }: Flight): Painter {
    const letters = this.#canvas && isPlain(danmaku.pieces) && layout.lines === 1 && danmaku.mode !== 'placed';
    return letters ? this.#canvas! : this.#dom;
  }

  #apply(): void {
    const { font, opacity } = this.#settings;
    this.#family = font || getComputedStyle(this.container).fontFamily;
    this.#layer.style.opacity = opacity === 1 ? '' : String(opacity);
    this.#flights.set(this.#settings);
    this.#resize();
  }

  #resize(): void {
    const { clientWidth, clientHeight } = this.#layer;
    this.#widthPx = clientWidth;
    this.#flights.resize(clientWidth, clientHeight);
    this.#canvas?.resize(clientWidth, clientHeight);
  }

  #retime(change: () => void): void {
    change();
    this.#dom.retime();
    this.#canvas?.retime();
    this.#frames(this.#turn);
  }

  #limit(): void {
    this.#flights.limit(this.#frameTime.share, this.#reduced.matches);
  }

  /** Offers the danmaku of the recording that are due. */
  #due(nowMs: number): void {
    for (const item of this.#timeline.take(nowMs)) {
      const danmaku = clean(item);
      if (danmaku) this.#flights.offer(danmaku, this.#family, nowMs);
    }
  }

  #turn = (): void => {
    if (!this.#clock.running || this.#ends.signal.aborted) return;
    const nowMs = this.timeMs;
    if (this.#timeline.more && nowMs - this.#turnMs > JUMP_MS && this.#turnMs > -Infinity) return this.seek(nowMs);
    this.#turnMs = nowMs;
    if (!this.#canvas && !document.hidden) this.#frameTime.frame(pageMs(), 2 * FRAME_MS);
    this.#limit();
    if (this.#visible) this.#due(nowMs);
    else this.#timeline.take(nowMs);
    this.#missed.add(this.#flights.turn(nowMs), nowMs);
    this.#applyMask();
    if (nowMs - this.#writtenMs >= MISSED_WRITE_MS || nowMs < this.#writtenMs) {
      this.#writtenMs = nowMs;
      this.#writeMissed();
    }
    if (this.#flights.busy || this.#timeline.more || this.#masks.waiting > 0 || this.#missed.at(nowMs) > 0) this.#frames(this.#turn);
  };

  #applyMask(): void {
    const due = this.#masks.take(this.timeMs);
    if (!due) return;
    this.#layer.style.maskImage = maskImage(due.value);
    this.#layer.style.maskSize = '100% 100%';
  }

  #click(event: MouseEvent): void {
    const { left, top } = this.#layer.getBoundingClientRect();
    const flying = new Map([...this.#flights.flying].map((one) => [one.box, one]));
    const box = boxAt(flying.keys(), event.clientX - left, event.clientY - top, this.timeMs);
    const clicked = box && flying.get(box);
    if (clicked) this.#events.emit('click', { ...clicked.members[0]!, text: clicked.danmaku.text, event });
  }

  #writeMissed(): void {
    const { missed, labels } = this.options;
    if (!missed) return;
    const count = this.#missed.at(this.timeMs);
    missed.hidden = count === 0;
    if (count > 0) missed.textContent = labels?.missed(count) ?? String(count);
  }
}

/** Time of the page's animations, in milliseconds. */
function pageMs(): number {
  return Number(document.timeline.currentTime ?? performance.now());
}

function measureOf(canvas: HTMLCanvasElement): Measure {
  const context = canvas.getContext('2d')!;
  return (text, font) => {
    if (context.font !== font) context.font = font;
    return context.measureText(text).width;
  };
}

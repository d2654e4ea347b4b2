// A stage of danmaku in an element of the page. `Admission` decides where and when each danmaku is
// shown; a painter shows it.

import { Admission, type Placed } from './admission.ts';
import { StageClock } from './clock.ts';
import { noCounts, Missed, type Counts } from './counts.ts';
import { clean, type Clean, type Danmaku } from './danmaku.ts';
import { DomPainter } from './dom_painter.ts';
import { Emitter } from './emitter.ts';
import { type Box, boxAt, type StageSize } from './lanes.ts';
import { layOut, type Measure, rowPxOf } from './layout.ts';
import { type Flight, type Flying, type Painter } from './painter.ts';
import { changed, DEFAULTS, type Settings, wanted } from './settings.ts';
import { adopt } from './sheet.ts';
import { frames, type Frames } from './ticker.ts';

/** The shown number of missed danmaku changes at most this often. */
const MISSED_WRITE_MS = 1_000;

export interface Options {
  settings?: Partial<Settings>;
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
  readonly #still = matchMedia('(prefers-reduced-motion: reduce)');
  readonly #layer = document.createElement('div');
  readonly #clock = new StageClock(pageMs());
  readonly #missed = new Missed();
  readonly #frames: Frames;
  readonly #painter: Painter;
  readonly #admission: Admission<Flight>;
  readonly #flying = new Map<Box, Flying>();
  readonly #measure: Measure;
  readonly #resizes: ResizeObserver;
  readonly #ends = new AbortController();
  #counts = noCounts();
  #settings: Settings;
  #size: StageSize = { widthPx: 0, heightPx: 0, rowPx: 1 };
  #visible = true;
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
    this.#measure = measureOf(document.createElement('canvas').getContext('2d')!);
    this.#painter = new DomPainter(this.#layer, this.#clock, pageMs);
    this.#admission = new Admission(this.#size);
    this.#apply();
    this.#resizes = new ResizeObserver(() => this.#apply());
    this.#resizes.observe(this.#layer);
    const { signal } = this.#ends;
    document.addEventListener('visibilitychange', () => this.#hidden(), { signal });
    this.#still.addEventListener('change', () => this.clear(), { signal });
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
    return { ...this.#counts, waiting: this.#admission.waiting };
  }

  /** Boxes of the danmaku that fly, with their texts and the time of the stage. */
  get flying(): { nowMs: number; boxes: (Box & { text: string; user: string; count: number })[] } {
    const boxes = [...this.#flying.values()].map(({ box, danmaku, count }) => ({ ...box, text: danmaku.text, user: danmaku.user, count }));
    return { nowMs: this.#nowMs(), boxes };
  }

  on<Name extends keyof Events>(name: Name, listener: (event: Events[Name]) => void): () => void {
    return this.#events.on(name, listener);
  }

  /** Shows a danmaku when a lane is free in time. */
  fly(given: Danmaku): void {
    this.#counts.offered += 1;
    const danmaku = clean(given);
    if (!danmaku || document.hidden || !this.#visible || this.#size.widthPx === 0) {
      this.#counts.unseen += 1;
    } else if (!wanted(danmaku, this.#settings)) {
      this.#counts.filtered += 1;
    } else {
      this.#offer(danmaku);
    }
  }

  /** Removes a message that a moderator has recalled. */
  recall(sequence: number): void {
    this.#withdraw((member) => member.sequence === sequence);
  }

  /** Removes all that a user wrote; with null all that everybody wrote. */
  purge(user: string | null): void {
    this.#withdraw((member) => user === null || member.user === user);
  }

  /** Changes settings. Danmaku that the viewer does not want any more leave at once. */
  set(settings: Partial<Settings>): void {
    this.#settings = changed(this.#settings, settings);
    this.#apply();
    const unwanted = (flight: Flight): boolean => !wanted(flight.danmaku, this.#settings);
    this.#counts.filtered += this.#admission.withdraw(unwanted);
    for (const flying of [...this.#flying.values()]) if (unwanted(flying)) this.#land(flying);
  }

  /** Stops all danmaku where they are, as when the player is paused. */
  pause(): void {
    this.#clock.run(pageMs(), false);
    this.#painter.retime();
  }

  play(): void {
    this.#clock.run(pageMs(), true);
    this.#painter.retime();
    this.#frames(this.#turn);
  }

  show(visible: boolean): void {
    this.#visible = visible;
    this.#layer.hidden = !visible;
    if (!visible) this.clear();
  }

  /** Removes all danmaku, those that fly and those that wait. */
  clear(): void {
    this.#counts.withdrawn += this.#admission.forgetWaiting();
    this.#admission.clear();
    for (const flying of this.#flying.values()) this.#painter.remove(flying);
    this.#flying.clear();
    this.#missed.clear();
    this.#writeMissed();
  }

  /** Writes the texts again, after the page has changed its language. */
  relabel(): void {
    this.#writeMissed();
  }

  /** Removes the stage from the page. */
  close(): void {
    this.clear();
    this.#ends.abort();
    this.#resizes.disconnect();
    this.#painter.close();
    this.#layer.remove();
    this.#events.clear();
  }

  #nowMs(): number {
    return this.#clock.at(pageMs());
  }

  /** Follows the size of the container and the settings. */
  #apply(): void {
    const { clientWidth: widthPx, clientHeight } = this.#layer;
    const { area, size, speed, opacity } = this.#settings;
    this.#size = { widthPx, heightPx: Math.floor(clientHeight * area), rowPx: rowPxOf(widthPx, size) };
    this.#admission.resize(this.#size);
    this.#admission.speed = speed;
    this.#painter.resize(widthPx, clientHeight);
    this.#layer.style.opacity = opacity === 1 ? '' : String(opacity);
  }

  #offer(danmaku: Clean): void {
    const family = this.#settings.font || getComputedStyle(this.container).fontFamily;
    const layout = layOut(danmaku, this.#size.widthPx, this.#size.rowPx, family, this.#measure);
    const { sequence, user, mode, lane } = danmaku;
    const item: Flight = { danmaku, layout, members: [{ sequence, user }], count: 1, box: null };
    this.#admission.offer({ motion: mode, widthPx: layout.widthPx, rows: layout.rows, lane, item }, this.#nowMs());
    this.#frames(this.#turn);
  }

  #withdraw(is: (member: { sequence: number | null; user: string }) => boolean): void {
    this.#counts.withdrawn += this.#admission.withdraw((flight) => flight.members.every(is));
    for (const flying of [...this.#flying.values()]) if (flying.members.every(is)) this.#land(flying);
  }

  /** Removes a danmaku before its time. Its lane is free at once. */
  #land(flying: Flying): void {
    this.#painter.remove(flying);
    this.#flying.delete(flying.box);
    this.#admission.free(flying.box);
  }

  #turn = (): void => {
    if (!this.#clock.running) return;
    const nowMs = this.#nowMs();
    this.#admission.still = this.#still.matches;
    const { placed, ended, missed } = this.#admission.turn(nowMs);
    for (const box of ended) {
      const flying = this.#flying.get(box);
      if (flying) this.#painter.remove(flying);
      this.#flying.delete(box);
    }
    for (const one of placed) this.#launch(one);
    this.#counts.missed += missed.length;
    this.#missed.add(missed.length, nowMs);
    if (nowMs - this.#writtenMs >= MISSED_WRITE_MS) {
      this.#writtenMs = nowMs;
      this.#writeMissed();
    }
    if (this.#admission.busy || this.#missed.at(nowMs) > 0) this.#frames(this.#turn);
  };

  #launch({ item, box }: Placed<Flight>): void {
    const flying: Flying = Object.assign(item, { box });
    this.#counts.shown += 1;
    this.#flying.set(box, flying);
    this.#painter.add(flying);
  }

  #hidden(): void {
    if (document.hidden) this.#counts.withdrawn += this.#admission.forgetWaiting();
  }

  #click(event: MouseEvent): void {
    const { left, top } = this.#layer.getBoundingClientRect();
    const box = boxAt(this.#flying.keys(), event.clientX - left, event.clientY - top, this.#nowMs());
    const flying = box && this.#flying.get(box);
    if (flying) this.#events.emit('click', { ...flying.members[0]!, text: flying.danmaku.text, event });
  }

  #writeMissed(): void {
    const { missed, labels } = this.options;
    if (!missed) return;
    const count = this.#missed.at(this.#nowMs());
    missed.hidden = count === 0;
    if (count > 0) missed.textContent = labels?.missed(count) ?? String(count);
  }
}

/** Time of the page's animations, in milliseconds. */
function pageMs(): number {
  return Number(document.timeline.currentTime ?? performance.now());
}

function measureOf(context: CanvasRenderingContext2D): Measure {
  return (text, font) => {
    if (context.font !== font) context.font = font;
    return context.measureText(text).width;
  };
}

// The danmaku that wait and fly, and their numbers. Pure but for the painters that it calls: sizes, times
// and widths of texts are arguments.

import { Admission, type Placed } from './admission.ts';
import { type Counts, noCounts } from './counts.ts';
import { type Clean } from './danmaku.ts';
import { type Box, type StageSize } from './lanes.ts';
import { layOut, type Measure, rowPxOf, timesPx } from './layout.ts';
import { Merger } from './merge.ts';
import { pathOf } from './path.ts';
import { type Flight, type Flying, type Member, type Painter } from './painter.ts';
import { DEFAULTS, type Settings, wanted } from './settings.ts';

/** A danmaku that leaves within this time takes no more equal texts. */
const MERGE_REST_MS = 1_500;
/** A danmaku that starts with a number has space for numbers of three digits. */
const TIMES_ROOM = 100;
/** Share of the stage that danmaku cover at most by their lanes alone. */
const COVER_FULL = 0.6;

export interface Scenery {
  measure: Measure;
  /** Returns the painter of a danmaku. */
  painterOf: (flight: Flight) => Painter;
}

export class Flights {
  #size: StageSize = { widthPx: 0, heightPx: 0, rowPx: 1 };
  /** Height with the part that the setting `area` leaves empty. */
  #heightPx = 0;
  #admission = new Admission<Flight>(this.#size);
  #merger = new Merger();
  #flying = new Map<Box, Flying>();
  #counts = noCounts();
  #settings: Settings = DEFAULTS;
  /** While the stage computes what flies at a moment, nothing is painted or counted. */
  #silent = false;

  constructor(private readonly scenery: Scenery) {}

  get counts(): Counts {
    return { ...this.#counts, waiting: this.#admission.waiting };
  }

  get flying(): IterableIterator<Flying> {
    return this.#flying.values();
  }

  get busy(): boolean {
    return this.#admission.busy;
  }

  /** Counts a danmaku that nobody can see. */
  unseen(): void {
    this.#counts.offered += 1;
    this.#counts.unseen += 1;
  }

  resize(widthPx: number, heightPx: number): void {
    const { area, size } = this.#settings;
    this.#heightPx = heightPx;
    this.#size = { widthPx, heightPx: Math.floor(heightPx * area), rowPx: rowPxOf(widthPx, size) };
    this.#admission.resize(this.#size);
  }

  /** Takes new settings; `resize` follows. Danmaku that the viewer does not want any more leave at once. */
  set(settings: Settings): void {
    this.#settings = settings;
    this.#admission.speed = settings.speed;
    const unwanted = (flight: Flight): boolean => !wanted(flight.danmaku, settings);
    this.#withdraw(unwanted, 'filtered');
    for (const flying of [...this.#flying.values()]) if (unwanted(flying)) this.#land(flying);
  }

  /** Sets how many danmaku the page has time for, from 0 to 1, and whether danmaku may move. */
  limit(share: number, still: boolean): void {
    const { density } = this.#settings;
    this.#admission.coverMax = density === 1 && share === 1 ? Infinity : Math.min(density, COVER_FULL) * share;
    this.#admission.still = still;
  }

  offer(danmaku: Clean, family: string, nowMs: number): void {
    if (!this.#silent) this.#counts.offered += 1;
    if (!wanted(danmaku, this.#settings)) {
      if (!this.#silent) this.#counts.filtered += 1;
      return;
    }
    const member: Member = { sequence: danmaku.sequence, user: danmaku.user };
    const known = this.#settings.merge ? this.#merger.find(danmaku) : null;
    if (known && this.#join(known, member, nowMs)) return;
    const { widthPx, rowPx } = this.#size;
    const layout = layOut(danmaku, { widthPx, fullHeightPx: this.#heightPx, rowPx, family }, this.scenery.measure);
    const before = known?.members ?? [];
    const placed = danmaku.place ? pathOf(danmaku.place, layout, widthPx, this.#heightPx) : null;
    const path = placed?.path ?? null;
    const item: Flight = { danmaku, layout, path, members: [...before, member], count: before.length + 1, joined: 0, box: null };
    const room = item.count > 1 ? timesPx(layout, Math.max(item.count, TIMES_ROOM), this.scenery.measure) : 0;
    const bounds = placed ? { bounds: placed.bounds, standMs: danmaku.place!.durationMs } : {};
    if (this.#settings.merge) this.#merger.keep(item);
    const { mode: motion, lane } = danmaku;
    this.#admission.offer({ motion, widthPx: layout.widthPx + room, rows: layout.rows, lane, item, ...bounds }, nowMs);
  }

  /** Removes messages. A danmaku that shows others as well stays, with a lower number. */
  remove(is: (member: Member) => boolean): void {
    this.#withdraw((flight) => !stays(flight, is), 'withdrawn');
    for (const flying of [...this.#flying.values()]) {
      const before = flying.count;
      if (!stays(flying, is)) this.#land(flying);
      else if (flying.count !== before) this.scenery.painterOf(flying).update(flying);
    }
  }

  /** Ends and starts danmaku. Returns the number of those that found no lane in time. */
  turn(nowMs: number): number {
    const { placed, ended, missed } = this.#admission.turn(nowMs);
    for (const box of ended) {
      const flying = this.#flying.get(box);
      if (flying) this.#gone(flying);
    }
    for (const one of placed) this.#launch(one);
    const count = missed.reduce((sum, flight) => sum + this.#uncount(flight), 0);
    if (!this.#silent) this.#counts.missed += count;
    return this.#silent ? 0 : count;
  }

  /** Forgets the danmaku that wait. */
  forgetWaiting(): void {
    this.#withdraw(() => true, 'withdrawn');
    this.#counts.withdrawn += this.#admission.forgetWaiting();
  }

  clear(): void {
    this.forgetWaiting();
    this.#admission.clear();
    this.#merger.clear();
    for (const flying of this.#flying.values()) this.scenery.painterOf(flying).remove(flying);
    this.#flying.clear();
  }

  /** Computes with `run` what flies at a moment, without showing or counting the way there. */
  compute(run: () => void): void {
    this.clear();
    this.#silent = true;
    run();
    this.#withdraw(() => true, 'withdrawn');
    this.#admission.forgetWaiting();
    this.#silent = false;
    for (const flying of this.#flying.values()) this.scenery.painterOf(flying).add(flying);
  }

  /** Adds a message to a danmaku with an equal text. Reports whether it has space for the number. */
  #join(known: Flight, member: Member, nowMs: number): boolean {
    const { measure, painterOf } = this.scenery;
    const widthPx = known.layout.widthPx + timesPx(known.layout, known.count + 1, measure);
    if (known.box) {
      if (nowMs > known.box.endMs - MERGE_REST_MS || !this.#admission.grow(known.box, widthPx)) return false;
    } else {
      this.#admission.widen(known, widthPx);
      known.joined += 1;
    }
    known.members.push(member);
    known.count += 1;
    if (this.#silent) return true;
    this.#counts.merged += 1;
    if (known.box) painterOf(known).update(known as Flying);
    return true;
  }

  #launch({ item, box }: Placed<Flight>): void {
    const flying: Flying = Object.assign(item, { box });
    this.#flying.set(box, flying);
    if (this.#silent) return;
    this.#counts.shown += 1;
    this.scenery.painterOf(flying).add(flying);
  }

  /** Removes a danmaku before its time. Its lane is free at once. */
  #land(flying: Flying): void {
    this.#admission.free(flying.box);
    this.#gone(flying);
  }

  #gone(flying: Flying): void {
    if (!this.#silent) this.scenery.painterOf(flying).remove(flying);
    this.#flying.delete(flying.box);
    this.#merger.drop(flying);
  }

  #withdraw(is: (flight: Flight) => boolean, as: 'filtered' | 'withdrawn'): void {
    let count = 0;
    this.#admission.withdraw((flight) => {
      const leaves = is(flight);
      if (leaves) count += this.#uncount(flight);
      return leaves;
    });
    if (!this.#silent) this.#counts[as] += count;
  }

  /** Returns the number of messages of a danmaku that was not shown; equal ones do not count as merged. */
  #uncount(flight: Flight): number {
    this.#merger.drop(flight);
    if (!this.#silent) this.#counts.merged -= flight.joined;
    return 1 + flight.joined;
  }
}

/** Takes messages out of a danmaku. Reports whether others are left. */
function stays(flight: Flight, is: (member: Member) => boolean): boolean {
  const left = flight.members.filter((member) => !is(member));
  if (left.length === 0) return false;
  flight.count -= flight.members.length - left.length;
  flight.members = left;
  return true;
}

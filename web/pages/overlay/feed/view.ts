// What an overlay shows: takes the bodies of a room in order, and hides what the room takes back.

import { type Body, type OpenSuperChat, type Signal, type Written } from '@barrage/client';
import { Alerts } from './alerts.ts';
import { isShown } from './filter.ts';
import { List } from './list.ts';
import { rowOf, type RowContext } from './rows.ts';
import { type Settings } from '../settings.ts';
import { Ticker } from './ticker.ts';

/** Danmaku of the overlay; absent in the mode `list`. */
export interface Flight {
  fly(body: Written, sequence: number): void;
  recall(sequence: number): void;
  purge(user: string | null): void;
  pause(): void;
  play(): void;
}

export interface Places {
  list: HTMLElement;
  alerts: HTMLElement;
  ticker: HTMLElement;
}

export class View {
  readonly #list: List;
  readonly #alerts: Alerts;
  readonly #ticker: Ticker;
  #paused = false;

  constructor(
    places: Places,
    private readonly settings: Settings,
    private readonly context: RowContext,
    private readonly flight: Flight | null,
  ) {
    this.#list = new List(places.list, settings);
    this.#alerts = new Alerts(places.alerts, context);
    this.#ticker = new Ticker(places.ticker, context.locale);
  }

  show(body: Body, sequence: number): void {
    switch (body.type) {
      case 'signal':
        return this.#obey(body);
      case 'event':
        return;
      default:
        if (isShown(body, this.settings)) this.#add(body, sequence);
    }
  }

  /** Takes the super chats that are on top of the room. */
  onTop(open: readonly OpenSuperChat[]): void {
    if (this.settings.ticker) this.#ticker.follow(open.filter(({ body }) => isShown(body, this.settings)));
  }

  /** Stops all movement and alerts while the source is not on the air. What is taken back is still removed. */
  pause(): void {
    this.#paused = true;
    this.#list.pause();
    this.#alerts.pause();
    this.flight?.pause();
  }

  play(): void {
    this.#paused = false;
    this.#list.play();
    this.#alerts.play();
    this.flight?.play();
  }

  #add(body: Written, sequence: number): void {
    if (this.settings.mode !== 'danmaku') this.#list.add(rowOf(body, sequence, this.context));
    // Danmaku of a source that is not on the air would all fly at once later.
    if (!this.#paused) this.flight?.fly(body, sequence);
    if (body.type === 'gift' && this.settings.alerts) this.#alerts.gift(body, sequence);
    if (body.type !== 'super_chat') return;
    if (this.settings.alerts) this.#alerts.superChat(body, sequence);
    if (this.settings.ticker) this.#ticker.add(body, sequence);
  }

  #obey(signal: Signal): void {
    switch (signal.signal) {
      case 'recall':
        if (signal.sequence === undefined) return;
        for (const part of this.#parts()) part.recall(signal.sequence);
        return;
      case 'purge':
        if (typeof signal.user === 'string') this.#purge(signal.user);
        return;
      case 'clear':
        return this.#purge(null);
    }
  }

  #purge(user: string | null): void {
    for (const part of this.#parts()) part.purge(user);
  }

  #parts(): (List | Alerts | Ticker | Flight)[] {
    return [this.#list, this.#alerts, this.#ticker, ...(this.flight ? [this.flight] : [])];
  }
}

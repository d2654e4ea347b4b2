// The danmaku over the picture: messages of the recording on a stage.

import { Stage } from '@barrage/stage';
import { textOf } from './list.ts';
import { t } from './texts/i18n.ts';
import { type Message } from './timeline/message.ts';

/** A message that is due for longer is not shown any more, as after a page was hidden. */
const LATE_MS = 3_000;

export class Screen {
  readonly #stage: Stage;
  #running = true;

  constructor(container: HTMLElement, missed: HTMLElement) {
    this.#stage = new Stage(container, { labels: { missed: (count) => t('missed', { count }) }, missed });
    this.run(false);
  }

  /** Lets messages fly that are due at a position. */
  fly(messages: readonly Message[], positionMs: number): void {
    for (const message of messages) {
      if (positionMs - message.offsetMs > LATE_MS) continue;
      const { user, mode, color, size, role, place, kind } = message;
      const isPaid = kind !== 'chat';
      this.#stage.fly({
        sequence: null,
        user,
        text: isPaid ? `${message.name} ${textOf(message)}` : message.text,
        mode,
        color: isPaid ? 0xffd27a : color,
        size,
        lane: isPaid ? 'gift' : role === 'moderator' || role === 'host' ? 'moderator' : 'other',
        ...(place ? { place } : {}),
      });
    }
  }

  /** Stops and goes on with the clock. */
  run(running: boolean): void {
    if (running === this.#running) return;
    this.#running = running;
    if (running) this.#stage.play();
    else this.#stage.pause();
  }

  clear(): void {
    this.#stage.clear();
  }

  show(visible: boolean): void {
    this.#stage.show(visible);
  }

  fade(opacity: number): void {
    this.#stage.set({ opacity });
  }

  speed(rate: number): void {
    this.#stage.set({ speed: rate });
  }

  relabel(): void {
    this.#stage.relabel();
  }
}

// The danmaku over the picture: messages of the recording on a stage.

import { Stage, type Danmaku } from '@barrage/stage';
import { textOf } from './list.ts';
import { t } from './texts/i18n.ts';
import { type Message } from './timeline/message.ts';

/** A message that is due for longer is not shown any more, as after a page was hidden. */
const LATE_MS = 3_000;
/** Color of gifts and super chats. */
const PAID_COLOR = 0xffd27a;
/** Time before a position whose danmaku may still fly there. */
export const FLIGHT_MS = 12_000;

export class Screen {
  readonly #stage: Stage;
  #running = true;

  constructor(container: HTMLElement, missed: HTMLElement) {
    this.#stage = new Stage(container, { labels: { missed: (count) => t('missed', { count }) }, missed });
    this.run(false);
  }

  /** Lets messages fly that are due at a position. */
  fly(messages: readonly Message[], positionMs: number): void {
    for (const message of messages) if (positionMs - message.offsetMs <= LATE_MS) this.#stage.fly(danmakuOf(message));
  }

  /** Jumps to a position, and shows what would be flying there: `before` are the messages shortly before it. */
  seek(before: readonly Message[], positionMs: number): void {
    this.#stage.clear();
    this.#stage.load(before.map((message) => ({ ...danmakuOf(message), atMs: message.offsetMs })));
    this.#stage.seek(positionMs);
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

  rate(rate: number): void {
    this.#stage.rate(rate);
  }

  relabel(): void {
    this.#stage.relabel();
  }
}

function danmakuOf(message: Message): Danmaku {
  const { user, mode, color, size, role, place, kind } = message;
  const isPaid = kind !== 'chat';
  return {
    sequence: null,
    user,
    text: isPaid ? `${message.name} ${textOf(message)}` : message.text,
    mode,
    color: isPaid ? PAID_COLOR : color,
    size,
    lane: isPaid ? 'gift' : role === 'moderator' || role === 'host' ? 'moderator' : 'other',
    ...(place ? { place } : {}),
  };
}

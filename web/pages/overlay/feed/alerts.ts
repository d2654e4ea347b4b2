// Alerts of gifts and super chats, one after another. In a rush gifts of one combo share an alert, and the oldest
// that wait are skipped: the list has every gift.

import { type Gift, type SuperChat } from '@barrage/client';
import { element } from '@barrage/ui/dom.ts';
import { money } from './money.ts';
import { mark, paint, type RowContext } from './rows.ts';

const GIFT_MS = 5_000;
const SUPER_CHAT_MS = 9_000;
const SHOWN_MAX = 2;
/** Alerts that wait for a place, at most. */
const WAITING_MAX = 20;

interface Alert {
  /** Gifts with the same key are one alert. */
  key: string;
  user: string;
  sequences: number[];
  node: HTMLElement;
  count: number;
  durationMs: number;
  timer: number | undefined;
}

export class Alerts {
  #shown: Alert[] = [];
  #waiting: Alert[] = [];
  #paused = false;

  constructor(
    private readonly root: HTMLElement,
    private readonly context: RowContext,
  ) {}

  gift(gift: Gift, sequence: number): void {
    const key = `${gift.user}/${gift.gift.name}`;
    const same = [...this.#shown, ...this.#waiting].find((alert) => alert.key === key);
    if (same) {
      same.count += gift.gift.count;
      same.sequences.push(sequence);
      return this.#again(same);
    }
    const count = element('strong', 'alert-count');
    const what = element('span', 'alert-what', this.context.gave(gift.gift.name));
    what.dir = 'auto';
    const text = element('span', 'alert-text', element('bdi', 'alert-who', gift.name), what);
    const node = element('div', 'alert gift', text, count);
    node.dataset['gift'] = gift.gift.name;
    mark(node, gift, sequence);
    this.#add({ key, user: gift.user, sequences: [sequence], node, count: gift.gift.count, durationMs: GIFT_MS, timer: undefined });
  }

  superChat(chat: SuperChat, sequence: number): void {
    const amount = element('strong', 'alert-amount', money(chat.amount_minor, chat.currency, this.context.locale));
    const head = element('span', 'alert-head', element('bdi', 'alert-who', chat.name), amount);
    const words = element('span', 'alert-words', ...this.context.pieces(chat.text, chat.emotes ?? []));
    words.dir = 'auto';
    const node = element('div', 'alert super-chat', head, words);
    mark(node, chat, sequence);
    paint(node, chat);
    const key = `${chat.user}/${sequence}`;
    this.#add({ key, user: chat.user, sequences: [sequence], node, count: 1, durationMs: SUPER_CHAT_MS, timer: undefined });
  }

  recall(sequence: number): void {
    this.#remove((alert) => alert.sequences.includes(sequence));
  }

  /** Removes the alerts of a user; null removes all. */
  purge(user: string | null): void {
    this.#remove((alert) => user === null || alert.user === user);
  }

  /** Holds alerts back while the source is not on the air. */
  pause(): void {
    this.#paused = true;
  }

  play(): void {
    this.#paused = false;
    this.#fill();
  }

  #add(alert: Alert): void {
    this.#waiting.push(alert);
    if (this.#waiting.length > WAITING_MAX) this.#waiting.shift();
    this.#fill();
  }

  #fill(): void {
    while (!this.#paused && this.#shown.length < SHOWN_MAX) {
      const next = this.#waiting.shift();
      if (!next) return;
      this.#shown.push(next);
      write(next);
      this.root.append(next.node);
      next.timer = setTimeout(() => this.#leave(next), next.durationMs);
    }
  }

  /** Writes the new number of a combo, and begins its time again. */
  #again(alert: Alert): void {
    write(alert);
    if (alert.timer === undefined) return;
    clearTimeout(alert.timer);
    alert.timer = setTimeout(() => this.#leave(alert), alert.durationMs);
    const count = alert.node.querySelector('.alert-count');
    count?.classList.remove('pop');
    requestAnimationFrame(() => count?.classList.add('pop'));
  }

  #leave(alert: Alert): void {
    clearTimeout(alert.timer);
    this.#shown = this.#shown.filter((shown) => shown !== alert);
    alert.node.remove();
    this.#fill();
  }

  #remove(isGone: (alert: Alert) => boolean): void {
    this.#waiting = this.#waiting.filter((alert) => !isGone(alert));
    for (const alert of this.#shown.filter(isGone)) this.#leave(alert);
  }
}

function write(alert: Alert): void {
  const count = alert.node.querySelector('.alert-count');
  if (count) count.textContent = `×${alert.count}`;
}

// The ticker: super chats of the higher tiers stay on top for the time of their tier.

import { type OpenSuperChat, type SuperChat } from '@barrage/client';
import { element } from '@barrage/ui/dom.ts';
import { money } from './money.ts';
import { mark, named, paint } from './rows.ts';
import { tierOf } from './tiers.ts';

/** Super chats in the ticker at most; the oldest leaves first. */
const SHOWN_MAX = 20;
/** Longest timer of a browser, in milliseconds. */
const TIMER_MS_MAX = 2 ** 31 - 1;

interface Item {
  node: HTMLElement;
  user: string;
  timer: number;
  /** Whether the room's state has it. What was there and is no longer was taken off the top. */
  inState: boolean;
}

export class Ticker {
  /** Items by sequence, oldest first. */
  #items = new Map<number, Item>();

  constructor(
    private readonly root: HTMLElement,
    private readonly locale: string,
  ) {}

  /** Adds a super chat that has just arrived. */
  add(chat: SuperChat, sequence: number, nowMs = Date.now()): void {
    this.#show(chat, sequence, nowMs + tierOf(chat).topSecs * 1_000, nowMs);
  }

  /** Follows the room's state: what is on top for a newcomer, what was read, and what is over. */
  follow(open: readonly OpenSuperChat[], nowMs = Date.now()): void {
    const unread = open.filter((one) => !one.read);
    for (const { sequence, until_ms, body } of unread) {
      this.#show(body, sequence, until_ms, nowMs);
      const item = this.#items.get(sequence);
      if (item) item.inState = true;
    }
    const known = new Set(unread.map(({ sequence }) => sequence));
    for (const [sequence, item] of this.#items) if (item.inState && !known.has(sequence)) this.#drop(sequence);
  }

  recall(sequence: number): void {
    this.#drop(sequence);
  }

  /** Removes the super chats of a user; null removes all. */
  purge(user: string | null): void {
    for (const [sequence, item] of this.#items) if (user === null || item.user === user) this.#drop(sequence);
  }

  #show(chat: SuperChat, sequence: number, untilMs: number, nowMs: number): void {
    const totalMs = tierOf(chat).topSecs * 1_000;
    // The wall clocks of server and page may differ: nothing stays longer than its tier says.
    const leftMs = Math.min(untilMs - nowMs, totalMs, TIMER_MS_MAX);
    if (!(leftMs > 0) || this.#items.has(sequence)) return;
    const left = element('i', 'ticker-left');
    const who = element('bdi', 'ticker-who', chat.name);
    const text = named('span', 'text', 'ticker-text', who, ' ', money(chat.amount_minor, chat.currency, this.locale));
    const node = named('yt-live-chat-ticker-paid-message-item-renderer', '', 'ticker-item');
    node.append(named('div', 'container', '', left, named('div', 'content', '', text)));
    mark(node, chat, sequence);
    paint(node, chat);
    this.root.prepend(node);
    left.animate([{ transform: `scaleX(${leftMs / totalMs})` }, { transform: 'scaleX(0)' }], { duration: leftMs, fill: 'both' });
    const timer = setTimeout(() => this.#drop(sequence), leftMs);
    this.#items.set(sequence, { node, user: chat.user, timer, inState: false });
    for (const oldest of this.#items.keys()) {
      if (this.#items.size <= SHOWN_MAX) break;
      this.#drop(oldest);
    }
  }

  #drop(sequence: number): void {
    const item = this.#items.get(sequence);
    if (!item) return;
    this.#items.delete(sequence);
    clearTimeout(item.timer);
    item.node.remove();
  }
}

// Shows gifts and super chats as banners over the stage. In a rush banners may be merged or skipped;
// the list shows every gift and super chat.

import { element, icon } from '@barrage/ui/dom.ts';
import { paint } from '../money/tiers.ts';
import { giftIcon, money } from '../page/gifts.ts';
import { isolated, locale, say } from '../page/i18n.ts';
import { type Gift, type SuperChat } from '@barrage/client';

const GIFT_MS = 4_500;
const SUPER_CHAT_MS = 12_000;
const SHOWN_MAX = 3;
/** Banners that wait for a place. When there are more, the oldest is skipped. */
const WAITING_MAX = 12;

interface Banner {
  key: string;
  user: string;
  node: HTMLElement;
  count: number;
  durationMs: number;
  timer: number | undefined;
}

export class Banners {
  #shown: Banner[] = [];
  #waiting: Banner[] = [];

  constructor(private readonly root: HTMLElement) {}

  /** Shows a gift. Returns false when an existing banner of the same combo counts it. */
  gift(gift: Gift): boolean {
    const key = `${gift.user}/${gift.gift.name}`;
    const same = [...this.#shown, ...this.#waiting].find((banner) => banner.key === key);
    if (same) {
      same.count += gift.gift.count;
      this.#restart(same);
      return false;
    }
    const sent = element('span', 'banner-what');
    say(sent, 'sentGift', { gift: isolated(gift.gift.name) });
    const who = element('bdi', 'banner-who', gift.name);
    const count = element('strong', 'banner-count', `×${gift.gift.count}`);
    const art = element('span', 'banner-art', icon(giftIcon(gift.gift.name)));
    const node = element('div', 'banner gift', art, element('span', 'banner-text', who, sent), count);
    this.#add({ key, user: gift.user, node, count: gift.gift.count, durationMs: GIFT_MS, timer: undefined });
    return true;
  }

  superChat(chat: SuperChat): void {
    const amount = element('strong', 'banner-amount', money(chat.amount_minor, chat.currency, locale()));
    const head = element('span', 'banner-head', element('bdi', 'banner-who', chat.name), amount);
    const words = element('span', 'banner-words', chat.text);
    words.dir = 'auto';
    const node = element('div', 'banner super', head, words);
    paint(node, chat);
    this.#add({ key: `${chat.user}/${chat.id}`, user: chat.user, node, count: 1, durationMs: SUPER_CHAT_MS, timer: undefined });
  }

  /** Removes the banners of a user, or all. */
  hide(user: string | null): void {
    this.#waiting = this.#waiting.filter((banner) => user !== null && banner.user !== user);
    for (const banner of [...this.#shown]) {
      if (user !== null && banner.user !== user) continue;
      clearTimeout(banner.timer);
      this.#leave(banner);
    }
  }

  #add(banner: Banner): void {
    if (document.hidden) return;
    this.#waiting.push(banner);
    if (this.#waiting.length > WAITING_MAX) this.#waiting.shift();
    this.#fill();
  }

  #fill(): void {
    while (this.#shown.length < SHOWN_MAX) {
      const next = this.#waiting.shift();
      if (!next) return;
      this.#shown.push(next);
      this.root.append(next.node);
      this.#write(next);
      next.timer = setTimeout(() => this.#leave(next), next.durationMs);
    }
  }

  #restart(banner: Banner): void {
    this.#write(banner);
    if (banner.timer === undefined) return;
    clearTimeout(banner.timer);
    banner.timer = setTimeout(() => this.#leave(banner), banner.durationMs);
    const count = banner.node.querySelector('.banner-count');
    count?.classList.remove('pop');
    requestAnimationFrame(() => count?.classList.add('pop'));
  }

  #write(banner: Banner): void {
    const count = banner.node.querySelector('.banner-count');
    if (count) count.textContent = `×${banner.count}`;
  }

  #leave(banner: Banner): void {
    this.#shown = this.#shown.filter((shown) => shown !== banner);
    banner.node.remove();
    this.#fill();
  }
}

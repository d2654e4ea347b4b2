// A live region for screen readers. It announces gifts, super chats and the page's own sentences while
// screen readers do not read the list, because too many messages arrive.

import { money } from '../page/gifts.ts';
import { locale, t } from '../page/i18n.ts';
import { type Gift, type SuperChat } from '@barrage/client';

/** Time between two sentences, so that a screen reader can finish each. */
const EVERY_MS = 3_000;
/** Sentences that wait. When there are more, the oldest is skipped; the list has it. */
const WAITING_MAX = 4;

export class Spoken {
  #waiting: string[] = [];
  #timer: number | undefined;

  constructor(private readonly region: HTMLElement) {}

  money(body: Gift | SuperChat): void {
    if (body.type === 'gift') {
      this.say(t('gave', { name: body.name, gift: body.gift.name, count: body.gift.count }));
    } else {
      const amount = money(body.amount_minor, body.currency, locale());
      this.say(t('paid', { name: body.name, amount, text: body.text }));
    }
  }

  say(sentence: string): void {
    this.#waiting.push(sentence);
    if (this.#waiting.length > WAITING_MAX) this.#waiting.shift();
    if (this.#timer === undefined) this.#next();
  }

  #next(): void {
    const sentence = this.#waiting.shift();
    this.#timer = sentence === undefined ? undefined : setTimeout(() => this.#next(), EVERY_MS);
    this.region.textContent = sentence ?? '';
  }
}

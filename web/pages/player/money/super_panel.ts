// The panel that sends a super chat: the text of the text box, and an amount with its tier.

import { byId, element } from '@barrage/ui/dom.ts';
import { type Post } from '@barrage/client';
import { input } from '../page/choices.ts';
import { money } from '../page/gifts.ts';
import { inLanguage, locale, t } from '../page/i18n.ts';
import { colorsOf, topSecsOf } from './tiers.ts';

const CURRENCY = 'CNY';
const AMOUNTS = [3_000, 6_000, 12_000, 30_000, 60_000] as const;

export interface SuperEvents {
  /** Returns the text for a super chat; null when there is none, which the page then says. */
  text(): string | null;
  send(post: Post): Promise<boolean>;
}

export class SuperPanel {
  #panel = byId('super-panel');
  #opener: HTMLButtonElement;
  #send = byId<HTMLButtonElement>('super-send');

  constructor(private readonly events: SuperEvents) {
    this.#opener = byId<HTMLButtonElement>('super-button');
    this.#opener.addEventListener('click', () => this.#toggle());
    for (const amount of AMOUNTS) byId('super-amounts').append(this.#choice(amount));
    this.#panel.addEventListener('change', () => this.#write());
    this.#panel.addEventListener('keydown', (event) => {
      if (event.key === 'Enter') {
        event.preventDefault();
        void this.#give();
      }
      if (event.key !== 'Escape') return;
      event.preventDefault();
      this.#show(false);
      this.#opener.focus();
    });
    this.#send.addEventListener('click', () => void this.#give());
    document.addEventListener('pointerdown', (event) => {
      const target = event.target as Node;
      if (!this.#panel.contains(target) && !this.#opener.contains(target)) this.#show(false);
    });
    inLanguage(() => this.#write());
  }

  #toggle(): void {
    if (!this.#panel.hidden) return this.#show(false);
    if (this.events.text() !== null) this.#show(true);
  }

  #show(visible: boolean): void {
    this.#panel.hidden = !visible;
    this.#opener.setAttribute('aria-expanded', String(visible));
    if (!visible) return;
    this.#write();
    this.#panel.querySelector<HTMLInputElement>('input:checked')?.focus();
  }

  #choice(amount: number): HTMLElement {
    const face = element('span', 'face tier');
    face.style.setProperty('--back', colorsOf({ amount_minor: amount, currency: CURRENCY }).back);
    inLanguage(() => {
      face.textContent = money(amount, CURRENCY, locale());
    });
    return element('label', 'radio', input('radio', 'super-amount', String(amount), amount === AMOUNTS[0]), face);
  }

  get #amount(): number {
    return Number(this.#panel.querySelector<HTMLInputElement>('input:checked')?.value ?? AMOUNTS[0]);
  }

  async #give(): Promise<void> {
    const text = this.events.text();
    if (text === null) return;
    this.#send.disabled = true;
    const sent = await this.events.send({ type: 'super_chat', text, amount_minor: this.#amount, currency: CURRENCY });
    this.#send.disabled = false;
    if (sent) this.#show(false);
  }

  #write(): void {
    const minutes = topSecsOf({ amount_minor: this.#amount, currency: CURRENCY }) / 60;
    byId('super-stays').textContent = t('superStays', { minutes });
    this.#send.textContent = t('superSend', { amount: money(this.#amount, CURRENCY, locale()) });
  }
}

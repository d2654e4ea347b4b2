// Gifts: a button for each in the tray, a panel with quantities and prices, and a button that sends the
// same gift again while a combo runs.

import { byId, element, icon } from '@barrage/ui/dom.ts';
import { type Post } from '@barrage/client';
import { money, OFFERS, type Offer } from '../page/gifts.ts';
import { inLanguage, locale, t } from '../page/i18n.ts';
import { Popover } from '../page/popover.ts';

/** The same gift again within this time is a combo. */
const COMBO_MS = 4_000;
const QUANTITIES = [1, 10, 66, 520] as const;
const CURRENCY = 'CNY';

export interface GiftEvents {
  /** Sends a gift. Returns whether the server took it. */
  send(post: Post): Promise<boolean>;
}

export class GiftPanel {
  #combo: { offer: Offer; quantity: number; count: number; atMs: number } | null = null;
  #button = byId<HTMLButtonElement>('combo');
  #tray = byId('gifts');
  #grid = byId('gift-grid');
  #timer: number | undefined;
  #quantity = 1;

  constructor(private readonly events: GiftEvents) {
    new Popover(byId('gift-button'), byId('gift-panel'));
    for (const offer of OFFERS) {
      this.#tray.append(this.#quick(offer));
      this.#grid.append(this.#priced(offer));
    }
    this.#quantities();
    this.#button.addEventListener('click', () => {
      if (this.#combo) void this.#give(this.#combo.offer, this.#combo.quantity);
    });
    inLanguage(() => this.#write());
  }

  /** Enables the gifts, or disables them with the reason as their title. */
  enable(open: boolean, why: string): void {
    for (const button of document.querySelectorAll<HTMLButtonElement>('[data-offer], #gift-button')) {
      button.disabled = !open;
      button.title = why;
    }
    // The keyboard scrolls the tray through its buttons; while they are disabled, through the tray itself.
    if (open) this.#tray.removeAttribute('tabindex');
    else this.#tray.tabIndex = 0;
  }

  #quick(offer: Offer): HTMLElement {
    const label = element('span', '');
    const button = element('button', `offer ${offer.icon}`, icon(offer.icon), label);
    button.type = 'button';
    button.dataset['offer'] = offer.key;
    button.addEventListener('click', () => void this.#give(offer, 1));
    inLanguage(() => {
      label.textContent = t(offer.key);
    });
    return button;
  }

  #priced(offer: Offer): HTMLElement {
    const [label, price] = [element('b', ''), element('small', '')];
    const button = element('button', `gift-choice ${offer.icon}`, icon(offer.icon), label, price);
    button.type = 'button';
    button.dataset['gift'] = offer.key;
    button.addEventListener('click', () => void this.#give(offer, this.#quantity));
    inLanguage(() => {
      label.textContent = t(offer.key);
      price.textContent = money(offer.priceMinor, CURRENCY, locale());
    });
    return button;
  }

  #quantities(): void {
    const place = byId('gift-quantities');
    for (const quantity of QUANTITIES) {
      const button = element('button', 'quantity', `×${quantity}`);
      button.type = 'button';
      button.setAttribute('aria-pressed', String(quantity === this.#quantity));
      button.addEventListener('click', () => {
        this.#quantity = quantity;
        for (const other of place.children) other.setAttribute('aria-pressed', String(other === button));
      });
      place.append(button);
    }
  }

  async #give(offer: Offer, quantity: number): Promise<void> {
    const nowMs = performance.now();
    const last = this.#combo;
    const again = last !== null && last.offer === offer && last.quantity === quantity && nowMs - last.atMs < COMBO_MS;
    const combo = { offer, quantity, count: again ? last.count + 1 : 1, atMs: nowMs };
    this.#combo = combo;
    const gift = { name: t(offer.key), count: quantity, price_minor: offer.priceMinor, combo: combo.count };
    const sent = await this.events.send({ type: 'gift', gift });
    if (!sent && this.#combo === combo) this.#combo = null;
    this.#restart();
  }

  /** Shows the button of a combo for its time. */
  #restart(): void {
    clearTimeout(this.#timer);
    this.#write();
    if (!this.#combo) return;
    this.#button.classList.remove('runs');
    void this.#button.offsetWidth;
    this.#button.classList.add('runs');
    this.#timer = setTimeout(() => {
      this.#combo = null;
      this.#write();
    }, COMBO_MS);
  }

  #write(): void {
    const combo = this.#combo;
    this.#button.hidden = combo === null;
    if (!combo) return;
    this.#button.className = `combo ${combo.offer.icon} runs`;
    this.#button.replaceChildren(icon(combo.offer.icon), element('b', '', `×${combo.count}`));
    this.#button.setAttribute('aria-label', t('comboAgain', { gift: t(combo.offer.key), count: combo.count }));
  }
}

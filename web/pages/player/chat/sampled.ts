// Says that a crowded room shows a sample of its chat: "18,000 sent, 50 shown".

import { count, inLanguage, t } from '../page/i18n.ts';
import { type Pulse } from '@barrage/client';

/** Time after which figures are removed when no newer ones come: the room shows everything again. */
const STALE_MS = 4_000;

export class Sampled {
  #figures: { offered: number; shown: number } | null = null;
  #timer: number | undefined;

  constructor(private readonly place: HTMLElement) {
    inLanguage(() => this.#write());
  }

  pulse({ offered = 0, shown = 0 }: Pulse): void {
    if (offered === 0) return;
    this.#figures = { offered, shown };
    this.#write();
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => {
      this.#figures = null;
      this.#write();
    }, STALE_MS);
  }

  #write(): void {
    const figures = this.#figures;
    this.place.hidden = figures === null;
    this.place.textContent = figures ? t('sampled', { offered: count(figures.offered), shown: count(figures.shown) }) : '';
  }
}

// Says that a crowded room shows a sample of its chat: "18,000/s, 50 shown".

import { count, inLanguage, t } from '../page/i18n.ts';
import { type Pulse } from '@barrage/client';

/** Time after which figures are removed when no newer ones come: the room shows everything again. */
const STALE_MS = 4_000;
/** Time between pulses where no earlier one is known. */
const PULSE_MS = 1_000;

export class Sampled {
  #figures: { offered: number; shown: number } | null = null;
  #timer: number | undefined;
  #lastMs = -Infinity;

  constructor(private readonly place: HTMLElement) {
    inLanguage(() => this.#write());
  }

  pulse({ offered = 0, shown = 0 }: Pulse): void {
    if (offered === 0) return;
    const nowMs = performance.now();
    const sinceMs = nowMs - this.#lastMs;
    this.#lastMs = nowMs;
    // Pulses that come together after a pause say nothing about the rate.
    const secs = sinceMs > STALE_MS || sinceMs < PULSE_MS / 2 ? PULSE_MS / 1000 : sinceMs / 1000;
    this.#figures = { offered: Math.round(offered / secs), shown: Math.round(shown / secs) };
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
    this.place.textContent = figures ? t('sampledRate', { offered: count(figures.offered), shown: count(figures.shown) }) : '';
  }
}

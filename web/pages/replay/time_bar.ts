// The bar of the time with the heat line above it.

import { heat, heatPath } from '@barrage/stage';
import { byId } from '@barrage/ui/dom.ts';
import { t } from './texts/i18n.ts';
import { timeText } from './time_text.ts';
import { type Message } from './timeline/message.ts';

/** Parts of the heat line, and its size in the units of the picture. */
const PARTS = 250;
const WIDTH = 1_000;
const HEIGHT = 40;

export class TimeBar {
  readonly #field = byId<HTMLInputElement>('position');
  readonly #paths = [...byId<SVGSVGElement>('heat').querySelectorAll('path')];
  #endMs = 0;
  #writtenSecs = -1;

  constructor(seek: (ms: number) => void) {
    this.#field.addEventListener('input', () => seek(Number(this.#field.value)));
  }

  /** Shows another recording, or more of it. */
  show(messages: readonly Message[], endMs: number): void {
    this.#endMs = endMs;
    this.#writtenSecs = -1;
    this.#field.max = String(Math.ceil(endMs));
    const line = heatPath(heat(messages.map(({ offsetMs }) => offsetMs), endMs, PARTS), WIDTH, HEIGHT);
    for (const path of this.#paths) path.setAttribute('d', messages.length === 0 ? '' : line);
  }

  at(ms: number): void {
    if (document.activeElement !== this.#field || Math.abs(Number(this.#field.value) - ms) > 1_000) this.#field.value = String(Math.round(ms));
    const share = this.#endMs === 0 ? 0 : ms / this.#endMs;
    this.#paths[1]?.style.setProperty('clip-path', `inset(0 ${(100 - 100 * share).toFixed(2)}% 0 0)`);
    const secs = Math.floor(ms / 1_000);
    if (secs === this.#writtenSecs) return;
    this.#writtenSecs = secs;
    this.#field.setAttribute('aria-valuetext', t('positionOf', { at: timeText(ms), end: timeText(this.#endMs) }));
  }
}

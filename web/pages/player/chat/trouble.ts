// A sentence on the stage while the connection does not work: what has happened, and what comes next.

import { type Where } from '@barrage/client';
import { inLanguage, t } from '../page/i18n.ts';

/** A reconnect that takes less than this is not worth a sentence. */
const SOON_MS = 1_500;

export class Trouble {
  #state: Where = { kind: 'connecting' };
  #sinceMs = performance.now();
  #wasOpen = false;

  constructor(private readonly place: HTMLElement) {
    inLanguage(() => this.#write());
    setInterval(() => this.#write(), 500);
    for (const event of ['online', 'offline']) addEventListener(event, () => this.#write());
  }

  state(state: Where): void {
    if (isOpen(state)) {
      this.#wasOpen = true;
      this.#sinceMs = performance.now();
    } else if (isOpen(this.#state)) {
      this.#sinceMs = performance.now();
    }
    this.#state = state;
    this.#write();
  }

  #write(): void {
    const words = this.#words();
    this.place.hidden = words === '';
    if (this.place.textContent !== words) this.place.textContent = words;
  }

  #words(): string {
    const state = this.#state;
    if (isOpen(state) || state.kind === 'ended') return '';
    if (state.kind === 'queued') return t('trouble_queued', { time: timeUntil(state.untilMs) });
    if (performance.now() - this.#sinceMs < SOON_MS) return '';
    if (navigator.onLine === false) return t('trouble_offline');
    if (state.kind === 'waiting') return t('trouble_waiting', { secs: secsUntil(state.untilMs) });
    return this.#wasOpen ? t('trouble_connecting') : '';
  }
}

/** Whether messages arrive. During a move the old connection carries. */
function isOpen(state: Where): boolean {
  return state.kind === 'open' || state.kind === 'moving';
}

function secsUntil(ms: number): number {
  return Math.max(0, Math.ceil((ms - Date.now()) / 1000));
}

function timeUntil(ms: number): string {
  const secs = secsUntil(ms);
  return secs < 100 ? t('secsLong', { secs }) : t('minutesLong', { minutes: Math.floor(secs / 60), secs: secs % 60 });
}

// A sentence about a request that did not succeed, with the wait until the next attempt.

import { inLanguage, t } from '../page/i18n.ts';
import { type Sentence } from './sentences.ts';

const TICK_MS = 500;

export class Complaint {
  #sentence: Sentence | null = null;
  #untilMs = 0;
  #timer: ReturnType<typeof setInterval> | undefined;

  /** Calls `changed` while a wait goes by. */
  constructor(
    private readonly place: HTMLElement,
    private readonly changed: () => void,
  ) {
    inLanguage(() => this.#write());
  }

  /** Milliseconds until another attempt; 0 when none has to wait. */
  get waitMs(): number {
    return Math.max(0, this.#untilMs - performance.now());
  }

  say(sentence: Sentence): void {
    this.#sentence = sentence;
    this.#untilMs = sentence.waitMs === undefined ? 0 : performance.now() + sentence.waitMs;
    this.#write();
    if (this.#untilMs === 0) return;
    clearInterval(this.#timer);
    this.#timer = setInterval(() => this.#tick(), TICK_MS);
  }

  /** Removes the sentence, unless its wait is not over. */
  forgive(): void {
    if (this.waitMs > 0) return;
    this.#sentence = null;
    this.#write();
  }

  #tick(): void {
    if (this.waitMs === 0) {
      clearInterval(this.#timer);
      this.forgive();
    }
    this.changed();
  }

  /** Writes the sentence with the whole wait, once: a screen reader does not read each second of it. */
  #write(): void {
    const { key, values, waitMs } = this.#sentence ?? {};
    const words = key === undefined ? '' : t(key, values);
    const wait = waitMs === undefined ? '' : t('accountWait', { time: waitWords(waitMs) });
    this.place.hidden = words === '';
    this.place.textContent = words + wait;
  }
}

/** Returns a wait in words, in seconds or in minutes and seconds. */
export function waitWords(ms: number): string {
  const secs = Math.ceil(ms / 1_000);
  return secs < 100 ? t('secsLong', { secs }) : t('minutesLong', { minutes: Math.floor(secs / 60), secs: secs % 60 });
}

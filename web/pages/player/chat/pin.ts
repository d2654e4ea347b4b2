// The pinned message above the list.

import { inLanguage, isolated, say } from '../page/i18n.ts';
import { type Body } from '@barrage/client';

export class Pin {
  #of: { sequence: number; user: string } | null = null;
  #write = (): void => {};

  constructor(private readonly place: HTMLElement) {
    inLanguage(() => this.#write());
  }

  /** Shows a message in place of the one before. */
  show(body: Body, sequence: number): void {
    if (body.type === 'signal' || body.type === 'event') return;
    const text = body.type === 'gift' ? `${body.gift.name} ×${body.gift.count}` : body.text;
    this.#of = { sequence, user: body.user };
    this.#write = () => say(this.place, 'pinned', { name: isolated(body.name), text: isolated(text) });
    this.#write();
    this.place.hidden = false;
  }

  hide(): void {
    this.#of = null;
    this.#write = () => {};
    this.place.textContent = '';
    this.place.hidden = true;
  }

  /** Hides the message that a moderator has recalled. */
  recall(sequence: number): void {
    if (this.#of?.sequence === sequence) this.hide();
  }

  /** Hides a message of a purged user. */
  purge(user: string): void {
    if (this.#of?.user === user) this.hide();
  }
}

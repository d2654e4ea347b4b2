// The pinned message above the list.

import { inLanguage, isolated, say } from '../page/i18n.ts';
import { type Body } from '@barrage/client';
import { element } from '@barrage/ui/dom.ts';

export class Pin {
  #of: { sequence: number; user: string } | null = null;
  #write = (): void => {};
  #words = element('button', 'pin-words');

  /** Calls `shows` with the position of the pinned message when the viewer clicks it. */
  constructor(
    private readonly place: HTMLElement,
    shows: (sequence: number) => void,
  ) {
    this.#words.type = 'button';
    place.append(this.#words);
    this.#words.addEventListener('click', () => {
      if (this.#of) shows(this.#of.sequence);
    });
    inLanguage(() => this.#write());
  }

  /** Shows a message in place of the one before. */
  show(body: Body, sequence: number): void {
    if (body.type === 'signal' || body.type === 'event') return;
    const text = body.type === 'gift' ? `${body.gift.name} ×${body.gift.count}` : body.text;
    this.#of = { sequence, user: body.user };
    this.#write = () => say(this.#words, 'pinned', { name: isolated(body.name), text: isolated(text) });
    this.#write();
    this.place.hidden = false;
  }

  hide(): void {
    this.#of = null;
    this.#write = () => {};
    this.#words.textContent = '';
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

// The line in which the viewer writes, with the answer of the server below it.

import { type Room } from '@barrage/client';
import { make } from './dom.ts';
import { type Language, refusedText, text } from './texts.ts';

/** Time for which an answer stays, in milliseconds. */
const HINT_MS = 6_000;

export class Composer {
  readonly root = make('form', 'composer');
  readonly #input = make('input', 'input');
  readonly #button = make('button', 'send');
  readonly #hint = make('div', 'hint');
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(
    private readonly room: Room,
    private readonly language: Language,
    /** Called with a text that the viewer alone sees, because the server holds it. */
    private readonly held: (words: string) => void,
  ) {
    this.#input.type = 'text';
    this.#input.autocomplete = 'off';
    // The server counts characters as a reader does; this only stops a whole book.
    this.#input.maxLength = 800;
    this.#input.placeholder = text(language, 'write');
    this.#input.setAttribute('aria-label', text(language, 'write'));
    this.#button.type = 'submit';
    this.#button.textContent = text(language, 'send');
    this.#hint.setAttribute('role', 'status');
    this.root.append(this.#input, this.#button, this.#hint);
    this.root.addEventListener('submit', (event) => {
      event.preventDefault();
      void this.#send();
    });
  }

  async #send(): Promise<void> {
    const words = this.#input.value.trim();
    if (words === '' || this.#button.disabled) return;
    this.#button.disabled = true;
    const sent = await this.room.send({ type: 'chat', text: words });
    this.#button.disabled = false;
    if (sent.kind === 'refused') return this.#say(refusedText(this.language, sent.message, sent.waitMs));
    // The viewer may have written on meanwhile.
    if (this.#input.value.trim() === words) this.#input.value = '';
    if (sent.kind !== 'held') return this.#say('');
    this.held(words);
    this.#say(text(this.language, 'held'));
  }

  #say(words: string): void {
    this.#hint.textContent = words;
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => (this.#hint.textContent = ''), HINT_MS);
  }
}

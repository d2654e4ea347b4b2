// The panel with the emotes of the room and the platform, and a search.

import { imageOf, knownEmotes, type Emote } from '../chat/emotes.ts';
import { byId, element } from '@barrage/ui/dom.ts';
import { inLanguage, t } from '../page/i18n.ts';
import { Popover } from '../page/popover.ts';

/** Emotes in the panel at once; the search finds the others. */
const SHOWN_MAX = 120;

export class EmotePicker {
  #popover: Popover;
  #search = byId<HTMLInputElement>('emote-search');
  #grid = byId('emote-grid');
  #empty = byId('emote-empty');

  constructor(private readonly text: HTMLInputElement) {
    this.#popover = new Popover(byId('emote-button'), byId('emote-panel'), () => {
      this.#search.value = '';
      this.#write();
      this.#search.focus();
    });
    this.#search.addEventListener('input', () => this.#write());
    this.#search.addEventListener('keydown', (event) => {
      // The search is in the form of the text box, and Enter must not send it.
      if (event.key !== 'Enter') return;
      event.preventDefault();
      this.#grid.querySelector('button')?.click();
    });
    this.#grid.addEventListener('keydown', (event) => this.#key(event));
    inLanguage(() => this.#write());
  }

  #write(): void {
    if (this.#popover?.panel.hidden !== false) return;
    const wanted = this.#search.value.trim().toLowerCase();
    const all = knownEmotes().reverse();
    const found = all.filter(({ name }) => name.toLowerCase().includes(wanted)).slice(0, SHOWN_MAX);
    this.#grid.replaceChildren(...found.map((emote) => this.#button(emote)));
    this.#grid.hidden = found.length === 0;
    this.#empty.hidden = found.length > 0;
    this.#empty.textContent = t(all.length === 0 ? 'noEmotes' : 'noEmoteFound');
  }

  #button(emote: Emote): HTMLElement {
    const button = element('button', 'emote-choice', imageOf(emote));
    button.type = 'button';
    button.setAttribute('aria-label', emote.name);
    button.title = emote.name;
    button.addEventListener('click', () => this.#insert(emote.name));
    return button;
  }

  /** Puts the word of an emote at the caret, between spaces: only then it is an emote. */
  #insert(name: string): void {
    const { text } = this;
    const [start, end] = [text.selectionStart ?? text.value.length, text.selectionEnd ?? text.value.length];
    const before = start > 0 && !/\s/u.test(text.value[start - 1] ?? ' ') ? ' ' : '';
    text.setRangeText(`${before}${name} `, start, end, 'end');
    this.#popover.close();
    text.dispatchEvent(new Event('input'));
    text.focus();
  }

  #key(event: KeyboardEvent): void {
    const buttons = [...this.#grid.querySelectorAll('button')];
    const at = buttons.indexOf(document.activeElement as HTMLButtonElement);
    const to = { ArrowRight: at + 1, ArrowLeft: at - 1 }[event.key];
    if (at < 0 || to === undefined) return;
    event.preventDefault();
    buttons.at(to % buttons.length)?.focus();
  }
}

// The panel with the emotes and stickers of the room and the platform, and a search. An emote goes into the text; a
// sticker is sent at once.

import { imageOf, knownEmotes, stickersById, type Emote } from '../chat/emotes.ts';
import { byId, element } from '@barrage/ui/dom.ts';
import { inLanguage, t } from '../page/i18n.ts';
import { Popover } from '../page/popover.ts';

/** Emotes, and stickers, in the panel at once; the search finds the others. */
const SHOWN_MAX = 120;

export class EmotePicker {
  #popover: Popover;
  #search = byId<HTMLInputElement>('emote-search');
  #grid = byId('emote-grid');
  #stickers = byId('sticker-grid');
  #heading = byId('sticker-heading');
  #empty = byId('emote-empty');

  constructor(
    private readonly text: HTMLInputElement,
    private readonly sendSticker: (id: string) => void,
  ) {
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
      (this.#grid.querySelector('button') ?? this.#stickers.querySelector('button'))?.click();
    });
    for (const grid of [this.#grid, this.#stickers]) grid.addEventListener('keydown', (event) => this.#key(event, grid));
    inLanguage(() => this.#write());
  }

  #write(): void {
    if (this.#popover?.panel.hidden !== false) return;
    const wanted = this.#search.value.trim().toLowerCase();
    const all = knownEmotes().reverse();
    const found = all.filter(({ name }) => name.toLowerCase().includes(wanted)).slice(0, SHOWN_MAX);
    this.#grid.replaceChildren(...found.map((emote) => this.#button(emote)));
    this.#grid.hidden = found.length === 0;
    const stickers = stickersById().reverse();
    const wantedStickers = stickers.filter(([, { name }]) => name.toLowerCase().includes(wanted)).slice(0, SHOWN_MAX);
    this.#stickers.replaceChildren(...wantedStickers.map(([id, sticker]) => this.#sticker(id, sticker)));
    this.#stickers.hidden = this.#heading.hidden = wantedStickers.length === 0;
    this.#empty.hidden = found.length > 0 || wantedStickers.length > 0;
    this.#empty.textContent = t(all.length === 0 && stickers.length === 0 ? 'noEmotes' : 'noEmoteFound');
  }

  #button(emote: Emote): HTMLElement {
    const button = element('button', 'emote-choice', imageOf(emote));
    button.type = 'button';
    button.setAttribute('aria-label', emote.name);
    button.title = emote.name;
    button.addEventListener('click', () => this.#insert(emote.name));
    return button;
  }

  #sticker(id: string, sticker: Emote): HTMLElement {
    const button = element('button', 'sticker-choice', imageOf(sticker));
    button.type = 'button';
    button.setAttribute('aria-label', t('sendSticker', { name: sticker.name }));
    button.title = sticker.name;
    button.addEventListener('click', () => {
      this.#popover.close();
      this.text.focus();
      this.sendSticker(id);
    });
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

  #key(event: KeyboardEvent, grid: HTMLElement): void {
    const buttons = [...grid.querySelectorAll('button')];
    const at = buttons.indexOf(document.activeElement as HTMLButtonElement);
    const to = { ArrowRight: at + 1, ArrowLeft: at - 1 }[event.key];
    if (at < 0 || to === undefined) return;
    event.preventDefault();
    buttons.at(to % buttons.length)?.focus();
  }
}

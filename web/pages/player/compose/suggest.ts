// Suggestions while a text is written: commands behind a slash, names behind an @. The text box keeps the
// focus; arrow keys choose, Enter and Tab take.

import { byId, element } from '@barrage/ui/dom.ts';

/** Suggestions at once. */
export const SUGGESTIONS_MAX = 24;

export interface Suggestion {
  /** Text that stands in place of the word before the caret. */
  insert: string;
  words: string;
  /** What it does. */
  meaning?: string;
  taken?(): void;
}

/** Returns the suggestions for the word before the caret. `isFirst` says that no word is before it. */
export type Suggester = (word: string, isFirst: boolean) => { label: string; found: Suggestion[] };

export class Suggest {
  #list = byId('suggestions');
  #found: Suggestion[] = [];
  #active = 0;

  constructor(
    private readonly text: HTMLInputElement,
    private readonly suggester: Suggester,
  ) {
    text.setAttribute('role', 'combobox');
    text.setAttribute('aria-autocomplete', 'list');
    text.setAttribute('aria-controls', this.#list.id);
    text.setAttribute('aria-expanded', 'false');
    text.addEventListener('input', () => this.#write());
    text.addEventListener('blur', () => this.close());
    text.addEventListener('keydown', (event) => this.#key(event));
    // The text box keeps the focus.
    this.#list.addEventListener('pointerdown', (event) => event.preventDefault());
    this.#list.addEventListener('click', (event) => {
      const option = (event.target as Element).closest<HTMLElement>('[role=option]');
      if (option) this.#take(Number(option.dataset['at']));
    });
  }

  get isOpen(): boolean {
    return !this.#list.hidden;
  }

  close(): void {
    this.#found = [];
    this.#list.hidden = true;
    this.text.setAttribute('aria-expanded', 'false');
    this.text.removeAttribute('aria-activedescendant');
  }

  #word(): { start: number; word: string } {
    const end = this.text.selectionEnd ?? this.text.value.length;
    const before = this.text.value.slice(0, end);
    const start = before.search(/\S*$/u);
    return { start, word: before.slice(start) };
  }

  #write(): void {
    const { start, word } = this.#word();
    const { label, found } = this.suggester(word, this.text.value.slice(0, start).trim() === '');
    if (found.length === 0) return this.close();
    this.#found = found.slice(0, SUGGESTIONS_MAX);
    this.#active = 0;
    this.#list.setAttribute('aria-label', label);
    this.#list.replaceChildren(...this.#found.map(optionOf));
    this.#list.hidden = false;
    this.text.setAttribute('aria-expanded', 'true');
    this.#mark();
  }

  #mark(): void {
    for (const [at, option] of [...this.#list.children].entries()) {
      option.setAttribute('aria-selected', String(at === this.#active));
      if (at === this.#active) option.scrollIntoView({ block: 'nearest' });
    }
    this.text.setAttribute('aria-activedescendant', `suggestion-${this.#active}`);
  }

  #key(event: KeyboardEvent): void {
    if (!this.isOpen || event.isComposing) return;
    const count = this.#found.length;
    switch (event.key) {
      case 'ArrowDown':
        this.#active = (this.#active + 1) % count;
        break;
      case 'ArrowUp':
        this.#active = (this.#active + count - 1) % count;
        break;
      case 'Enter':
      case 'Tab':
        // A word that is complete already is sent by Enter.
        if (event.key === 'Enter' && this.#found[this.#active]?.insert.trim() === this.#word().word) return this.close();
        this.#take(this.#active);
        event.preventDefault();
        return;
      case 'Escape':
        this.close();
        break;
      default:
        return;
    }
    event.preventDefault();
    if (this.isOpen) this.#mark();
  }

  #take(at: number): void {
    const suggestion = this.#found[at];
    if (!suggestion) return;
    const { start, word } = this.#word();
    this.text.setRangeText(suggestion.insert, start, start + word.length, 'end');
    suggestion.taken?.();
    this.close();
    this.text.dispatchEvent(new Event('input'));
    this.close();
  }
}

function optionOf(suggestion: Suggestion, at: number): HTMLElement {
  const words = element('b', '', suggestion.words);
  words.dir = 'auto';
  const option = element('li', 'suggestion', words, ...(suggestion.meaning ? [' ', element('span', 'meaning', suggestion.meaning)] : []));
  option.id = `suggestion-${at}`;
  option.setAttribute('role', 'option');
  option.dataset['at'] = String(at);
  return option;
}

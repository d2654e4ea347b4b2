// The rows of the list in the page, each with the entry that it shows.

import { type Entry, type Message, sequenceOf } from './entry.ts';
import { fillQuote, type RowContext, rowOf } from './rows.ts';

export class RowList {
  #entries = new WeakMap<Node, Entry>();

  constructor(
    private readonly root: HTMLElement,
    private readonly context: RowContext,
  ) {}

  get count(): number {
    return this.root.childElementCount;
  }

  get entries(): Entry[] {
    return this.#rows.map((row) => this.#entries.get(row)!);
  }

  /** Positions of the rows that have one. */
  get sequences(): number[] {
    return this.entries.map(sequenceOf).filter((one): one is number => one !== null);
  }

  append(entries: readonly Entry[]): void {
    this.root.append(...this.#make(entries));
  }

  prepend(entries: readonly Entry[]): void {
    this.root.prepend(...this.#make(entries));
  }

  replace(entries: readonly Entry[]): void {
    this.root.replaceChildren(...this.#make(entries));
  }

  /** Returns the entry of a row or of a node in it. */
  at(node: Node): Entry | undefined {
    const row = (node instanceof Element ? node : node.parentElement)?.closest('.row');
    return row ? this.#entries.get(row) : undefined;
  }

  /** Returns the row of an entry, which is looked for from the newest one. */
  of(entry: Entry): HTMLElement | null {
    return this.#rows.reverse().find((row) => this.#entries.get(row) === entry) ?? null;
  }

  /** Returns the row of the message at a position. */
  find(sequence: number): HTMLElement | null {
    return this.#rows.find((row) => sequenceOf(this.#entries.get(row)) === sequence) ?? null;
  }

  remove(holds: (entry: Entry) => boolean): void {
    for (const row of this.#rows) if (holds(this.#entries.get(row)!)) row.remove();
  }

  /** Removes the oldest rows beyond a number. Returns whether there were any. */
  keepNewest(max: number): boolean {
    return this.#keep(max, () => this.root.firstElementChild);
  }

  /** Removes the newest rows beyond a number. Returns whether there were any. */
  keepOldest(max: number): boolean {
    return this.#keep(max, () => this.root.lastElementChild);
  }

  /** Makes the rows of removed messages again, which still show their texts. */
  removeTexts(): void {
    const shows = (entry: Entry, row: HTMLElement): entry is Message => entry.kind === 'message' && entry.removed && 'user' in row.dataset;
    for (const row of this.#rows) {
      const entry = this.#entries.get(row)!;
      if (shows(entry, row)) row.replaceWith(...this.#make([entry]));
    }
  }

  /** Removes the texts that replies quote from messages for which the condition holds. */
  removeQuotes(holds: (sequence: number) => boolean): void {
    for (const quote of this.root.querySelectorAll<HTMLElement>('.reply')) {
      if (holds(Number(quote.dataset['to']))) quote.querySelector('.reply-text')?.remove();
    }
  }

  /** Writes the text of a message into the replies that quote it. */
  fillQuotes(sequence: number, text: string): void {
    for (const quote of this.root.querySelectorAll<HTMLElement>(`.reply[data-to="${sequence}"]`)) fillQuote(quote, text);
  }

  get #rows(): HTMLElement[] {
    return [...this.root.children] as HTMLElement[];
  }

  #make(entries: readonly Entry[]): HTMLElement[] {
    return entries.map((entry) => {
      const row = rowOf(entry, this.context);
      this.#entries.set(row, entry);
      return row;
    });
  }

  #keep(max: number, next: () => Element | null): boolean {
    const isOver = this.count > max;
    while (this.count > max) next()?.remove();
    return isOver;
  }
}

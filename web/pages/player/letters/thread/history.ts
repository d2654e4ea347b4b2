// Keeps the shown part of a conversation in step with the inbox: newest items, older ones by scrolling, recalls,
// hidden items and clears. Bounded: at the bound the far end is dropped, and read again when it is scrolled to.

import { type Conversation, type Inbox, type Item } from '@barrage/client/inbox';
import { type Names } from '../list/names.ts';
import { Window } from './window.ts';

/** Items that are shown at once. */
const ITEMS_MAX = 400;
const PAGE = 50;

export class History {
  #window = new Window();
  #isLoading = false;
  #isAtEnd = true;
  /** There is nothing before the first item that the user may read. */
  #isWhole = false;

  /** Calls `changed` when other items are shown. */
  constructor(
    private readonly inbox: Pick<Inbox, 'items'>,
    private readonly names: Names,
    private readonly row: () => Conversation | null,
    private readonly changed: () => void,
  ) {}

  get items(): readonly Item[] {
    return this.#window.items;
  }

  get isWhole(): boolean {
    return this.#isWhole;
  }

  /** Whether the newest item is shown. */
  get isAtEnd(): boolean {
    return this.#isAtEnd;
  }

  find(position: number): Item | null {
    return this.#window.items.find((item) => item.position === position) ?? null;
  }

  /** Shows the newest items. */
  async newest(): Promise<void> {
    await this.#load({}, (items) => {
      this.#window.reset(items);
      this.#isAtEnd = true;
      this.#isWhole = false;
    });
  }

  /** Shows older items. */
  async older(): Promise<void> {
    const { first } = this.#window;
    if (first === null || this.#isWhole) return;
    await this.#load({ before: first }, (items) => {
      this.#window.take(items);
      if (items.length === 0) this.#isWhole = true;
      if (this.#window.dropNewest(ITEMS_MAX)) this.#isAtEnd = false;
    });
  }

  /** Takes items that have arrived. Behind a gap the newest ones are read anew. */
  arrived(items: readonly Item[]): void {
    this.names.learn(items);
    if (!this.#isAtEnd) return;
    if (!this.#window.continues(items)) return void this.newest();
    this.#window.take(items);
    this.#window.dropOldest(ITEMS_MAX);
    this.#bound();
    this.changed();
  }

  hide(position: number): void {
    this.#window.hide(position);
    this.changed();
  }

  /** Takes what the row says of the conversation: what was cleared is gone. */
  update(): void {
    this.#window.clear(this.row()?.after ?? 0);
    this.#bound();
    this.changed();
  }

  async #load(range: { before?: number }, take: (items: Item[]) => void): Promise<void> {
    const row = this.row();
    if (this.#isLoading || !row) return;
    this.#isLoading = true;
    const items = await this.inbox.items(row.conversation, { ...range, limit: PAGE });
    this.#isLoading = false;
    this.names.learn(items);
    take(items);
    this.#bound();
    this.changed();
  }

  #bound(): void {
    const { first } = this.#window;
    const after = this.row()?.after ?? 0;
    this.#isWhole = first === null ? true : this.#isWhole || first <= after + 1;
  }
}

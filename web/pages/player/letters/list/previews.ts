// The newest item of each conversation that the list shows. It is on the device for the conversations that changed
// last; the others are read one at a time.

import { type Conversation, type Inbox, type Item } from '@barrage/client/inbox';
import { type Names } from './names.ts';

/** Items that are read: of a few a name of the other user is known too. */
const ITEMS = 20;
/** Conversations that wait to be read. With more the oldest is dropped, and waits again when it is shown. */
const WAITING_MAX = 60;

interface Known {
  /** Head and clear position at which the item was read. */
  at: string;
  item: Item | null;
}

export class Previews {
  #known = new Map<string, Known>();
  #waiting = new Map<string, Conversation>();
  #isReading = false;

  /** Calls `changed` when an item was read. */
  constructor(
    private readonly inbox: Pick<Inbox, 'items'>,
    private readonly names: Names,
    private readonly changed: () => void,
  ) {}

  /** Returns the newest item that is known, and reads it anew where the conversation has changed. */
  of(row: Conversation): Item | null {
    const known = this.#known.get(row.conversation);
    if (known?.at !== placeOf(row)) {
      this.#waiting.set(row.conversation, row);
      if (this.#waiting.size > WAITING_MAX) this.#waiting.delete(this.#waiting.keys().next().value!);
      void this.#work();
    }
    return known?.item ?? null;
  }

  /** Reads a conversation anew: an item of it is hidden now. */
  forget(conversation: string): void {
    this.#known.delete(conversation);
  }

  async #work(): Promise<void> {
    if (this.#isReading) return;
    this.#isReading = true;
    for (;;) {
      const [next] = this.#waiting.values();
      if (!next) break;
      const items = await this.inbox.items(next.conversation, { limit: ITEMS });
      this.#waiting.delete(next.conversation);
      this.names.learn(items);
      this.#known.set(next.conversation, { at: placeOf(next), item: items.filter(({ recalls }) => recalls === undefined).at(-1) ?? null });
      this.changed();
    }
    this.#isReading = false;
  }
}

function placeOf({ head, after = 0, left = 0 }: Conversation): string {
  return `${head}/${after}/${left}`;
}

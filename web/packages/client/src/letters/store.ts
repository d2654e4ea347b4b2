// Keeps the inbox on the device: in IndexedDB, or in memory where the browser has none. What one answer or frame
// brings is written in one transaction with the cursor, so that a device never acknowledges what it has not kept.

import type { Conversation, Item } from './book.ts';

/** Where a device stands. */
export interface Stand {
  cursor: string | null;
  version: number;
  direct: number;
}

/** What one answer or frame brings. */
export interface Change {
  stand: Stand;
  /** Everything from before is forgotten. */
  reset: boolean;
  rows: Conversation[];
  items: { conversation: string; item: Item }[];
  /** Items that the user has hidden. */
  hidden: { conversation: string; position: number }[];
}

export interface InboxStore {
  load(): Promise<{ stand: Stand; rows: Conversation[] } | null>;
  /** Writes everything of a change, or nothing. */
  save(change: Change): Promise<void>;
  /** Newest items before a position, oldest first. */
  items(conversation: string, before: number, limit: number): Promise<Item[]>;
  close(): void;
}

/** Opens the store of a user. */
export async function openStore(user: string): Promise<InboxStore> {
  try {
    return new IndexedStore(await database(`barrage-inbox-${user}`));
  } catch {
    // A sandboxed frame, private settings, or no browser at all.
    return new MemoryStore();
  }
}

export class MemoryStore implements InboxStore {
  #stand: Stand | null = null;
  #rows = new Map<string, Conversation>();
  #items = new Map<string, Map<number, Item>>();

  async load(): Promise<{ stand: Stand; rows: Conversation[] } | null> {
    return this.#stand && { stand: this.#stand, rows: [...this.#rows.values()] };
  }

  async save({ stand, reset, rows, items, hidden }: Change): Promise<void> {
    if (reset) {
      this.#rows.clear();
      this.#items.clear();
    }
    for (const row of rows) this.#rows.set(row.conversation, row);
    for (const { conversation, item } of items) {
      const kept = this.#items.get(conversation) ?? new Map<number, Item>();
      this.#items.set(conversation, kept.set(item.position, item));
    }
    for (const { conversation, position } of hidden) this.#items.get(conversation)?.delete(position);
    this.#stand = stand;
  }

  async items(conversation: string, before: number, limit: number): Promise<Item[]> {
    const kept = [...(this.#items.get(conversation)?.values() ?? [])].filter(({ position }) => position < before);
    return kept.sort((one, other) => one.position - other.position).slice(-limit);
  }

  close(): void {
    // Nothing is open.
  }
}

const STAND = 'stand';
const ROWS = 'rows';
const ITEMS = 'items';

class IndexedStore implements InboxStore {
  constructor(private readonly db: IDBDatabase) {}

  async load(): Promise<{ stand: Stand; rows: Conversation[] } | null> {
    const read = this.db.transaction([STAND, ROWS]);
    const [stand, rows] = await Promise.all([
      done<Stand | undefined>(read.objectStore(STAND).get(STAND)),
      done<Conversation[]>(read.objectStore(ROWS).getAll()),
    ]);
    return stand ? { stand, rows } : null;
  }

  save({ stand, reset, rows, items, hidden }: Change): Promise<void> {
    const write = this.db.transaction([STAND, ROWS, ITEMS], 'readwrite');
    const [stands, rowStore, itemStore] = [write.objectStore(STAND), write.objectStore(ROWS), write.objectStore(ITEMS)];
    if (reset) {
      rowStore.clear();
      itemStore.clear();
    }
    for (const row of rows) rowStore.put(row, row.conversation);
    for (const { conversation, item } of items) itemStore.put(item, [conversation, item.position]);
    for (const { conversation, position } of hidden) itemStore.delete([conversation, position]);
    stands.put(stand, STAND);
    return new Promise((resolve, reject) => {
      write.oncomplete = () => resolve();
      write.onabort = write.onerror = () => reject(write.error ?? new Error('the inbox was not stored'));
    });
  }

  items(conversation: string, before: number, limit: number): Promise<Item[]> {
    const range = IDBKeyRange.bound([conversation, 0], [conversation, before], false, true);
    const reading = this.db.transaction(ITEMS).objectStore(ITEMS).openCursor(range, 'prev');
    const found: Item[] = [];
    return new Promise((resolve, reject) => {
      reading.onerror = () => reject(reading.error ?? new Error('the inbox was not read'));
      reading.onsuccess = () => {
        const cursor = reading.result;
        if (!cursor || found.length >= limit) return resolve(found.reverse());
        found.push(cursor.value as Item);
        cursor.continue();
      };
    });
  }

  close(): void {
    this.db.close();
  }
}

function database(name: string): Promise<IDBDatabase> {
  const opening = indexedDB.open(name, 1);
  opening.onupgradeneeded = () => {
    for (const store of [STAND, ROWS, ITEMS]) opening.result.createObjectStore(store);
  };
  return done(opening);
}

function done<Result>(request: IDBRequest<Result>): Promise<Result> {
  return new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error ?? new Error('IndexedDB failed'));
  });
}

// The offer of the inbox: asks the server whether this user has one, and loads it then. Guests have none.

import type { Room } from '@barrage/client';
import type { Letters, Page } from './letters.ts';

/** How the SDK names the databases of inboxes. */
const DATABASES = 'barrage-inbox-';
/** Longest wait for a database to go: another tab may have it open. */
const FORGET_MS = 1_000;

export class LettersOffer {
  #made: Promise<Letters> | null = null;
  #letters: Letters | null = null;
  /** Conversation to open when the inbox is there. */
  #wanted: string | null = null;

  constructor(private readonly page: Page) {
    const { room } = page;
    room.on('hello', () => this.#ask(room));
    room.on('mail', ({ type }) => {
      if (type === 'attached') this.#make();
    });
  }

  /** The inbox; null before the server has said that there is one. */
  get now(): Letters | null {
    return this.#letters;
  }

  /** Opens a conversation: now, or when the server has said that there is an inbox. */
  open(conversation: string): void {
    if (this.#letters) this.#letters.open(conversation);
    else this.#wanted = conversation;
  }

  /** Ends the inbox, and removes all that this browser keeps of inboxes. Resolves when that is done, or has to wait for another tab. */
  async forget(): Promise<void> {
    this.#letters?.close();
    const kept = (await globalThis.indexedDB?.databases?.().catch(() => [])) ?? [];
    const names = kept.flatMap(({ name }) => (name?.startsWith(DATABASES) ? [name] : []));
    const removed = names.map((name) => new Promise((resolve) => (indexedDB.deleteDatabase(name).onsuccess = resolve)));
    await Promise.race([Promise.all(removed), new Promise((resolve) => setTimeout(resolve, FORGET_MS))]);
  }

  #ask(room: Room): void {
    if (this.#made || !room.canSend) return;
    const { state } = room;
    // Other transports have no mail: the inbox asks by itself there.
    if (state.kind === 'open' && state.transport !== 'ws') this.#make();
    else room.attach('attach');
  }

  #make(): void {
    this.#made ??= this.#load();
    this.#made.catch(() => {
      // Without network: the next connection asks again.
      this.#made = null;
    });
  }

  async #load(): Promise<Letters> {
    const { openLetters } = await import('./letters.ts');
    this.#letters = openLetters(this.page);
    if (this.#wanted !== null) this.#letters.open(this.#wanted);
    this.#wanted = null;
    return this.#letters;
  }
}

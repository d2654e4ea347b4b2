// Names of users: from what they wrote, else from the room, else their ids. Bounded.

import { type Conversation, type Item } from '@barrage/client/inbox';
import { nameIn } from '../texts/words.ts';

/** Names to remember. The one that was seen first is forgotten. */
const NAMES_MAX = 1_000;

export class Names {
  #byUser = new Map<string, string>();

  /** `known` returns the name that a user has in the room. */
  constructor(private readonly known: (user: string) => string | null) {}

  learn(items: readonly Item[]): void {
    for (const item of items) {
      const name = nameIn(item);
      if (name !== null) this.note(item.sender, name);
    }
  }

  note(user: string, name: string): void {
    this.#byUser.delete(user);
    this.#byUser.set(user, name);
    if (this.#byUser.size <= NAMES_MAX) return;
    const oldest = this.#byUser.keys().next();
    if (!oldest.done) this.#byUser.delete(oldest.value);
  }

  of(user: string): string {
    return this.#byUser.get(user) ?? this.known(user) ?? user;
  }

  /** Returns the title of a conversation. */
  title({ group, peer, conversation }: Conversation): string {
    return group?.title ?? (peer === undefined ? conversation : this.of(peer));
  }
}

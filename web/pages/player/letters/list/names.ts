// Names and avatars of users: from what they wrote, else from the room, else their ids. Bounded.

import { type Conversation, type Item } from '@barrage/client/inbox';
import { avatarIn, nameIn } from '../texts/words.ts';

/** Names to remember. The one that was seen first is forgotten. */
const NAMES_MAX = 1_000;

/** What is known of a user. */
export interface Person {
  name: string;
  /** Id of the avatar. */
  avatar?: string | undefined;
}

/** Returns what is known of a user in the room; null for one who has not written there. */
export type Known = (user: string) => Person | null;

export class Names {
  #byUser = new Map<string, Person>();

  constructor(private readonly known: Known) {}

  learn(items: readonly Item[]): void {
    for (const item of items) {
      const name = nameIn(item);
      if (name !== null) this.note(item.sender, name, avatarIn(item));
    }
  }

  note(user: string, name: string, avatar?: string): void {
    this.#byUser.delete(user);
    this.#byUser.set(user, { name, avatar });
    if (this.#byUser.size <= NAMES_MAX) return;
    const oldest = this.#byUser.keys().next();
    if (!oldest.done) this.#byUser.delete(oldest.value);
  }

  of(user: string): string {
    return (this.#byUser.get(user) ?? this.known(user))?.name ?? user;
  }

  /** Returns the id of a user's avatar: that of the newest message is in the room. */
  avatar(user: string): string | undefined {
    return (this.known(user) ?? this.#byUser.get(user))?.avatar;
  }

  /** Returns the title of a conversation. */
  title({ group, peer, conversation }: Conversation): string {
    return group?.title ?? (peer === undefined ? conversation : this.of(peer));
  }
}

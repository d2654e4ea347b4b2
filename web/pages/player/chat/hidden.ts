// What purges and clears of moderators hide, for messages that the history answers late.

/** Purged users to remember. The oldest is forgotten: the history has hidden its messages long since. */
const USERS_MAX = 1_000;

export class Hidden {
  #clearedAt = 0;
  #purgedAt = new Map<string, number>();

  /** Hides all messages before a position. */
  clear(sequence: number): void {
    this.#clearedAt = Math.max(this.#clearedAt, sequence);
  }

  /** Hides the messages of a user before a position. */
  purge(user: string, sequence: number): void {
    this.#purgedAt.delete(user);
    this.#purgedAt.set(user, sequence);
    const oldest = this.#purgedAt.keys().next();
    if (this.#purgedAt.size > USERS_MAX && !oldest.done) this.#purgedAt.delete(oldest.value);
  }

  has(user: string, sequence: number): boolean {
    return sequence < this.#clearedAt || sequence < (this.#purgedAt.get(user) ?? 0);
  }
}

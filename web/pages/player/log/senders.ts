// Who has written lately: names for mentions and commands, and the last message of each. Bounded.

/** Senders to remember. The one that has been silent for longest is forgotten. */
const SENDERS_MAX = 500;

export interface Sender {
  user: string;
  name: string;
  avatar?: string | undefined;
  /** Position of the last message. */
  sequence: number | null;
}

export class Senders {
  #byUser = new Map<string, Sender>();

  saw(user: string, name: string, sequence: number | null, avatar?: string): void {
    if (user === '') return;
    const known = this.#byUser.get(user);
    this.#byUser.delete(user);
    this.#byUser.set(user, { user, name, avatar, sequence: sequence ?? known?.sequence ?? null });
    if (this.#byUser.size <= SENDERS_MAX) return;
    const oldest = this.#byUser.keys().next();
    if (!oldest.done) this.#byUser.delete(oldest.value);
  }

  get(user: string): Sender | null {
    return this.#byUser.get(user) ?? null;
  }

  /** Finds a sender by the id or the name; of equal names the one who wrote last. */
  find(of: string): Sender | null {
    const exact = this.#byUser.get(of);
    if (exact) return exact;
    const wanted = of.toLowerCase();
    return this.#latest().find(({ name }) => name.toLowerCase() === wanted) ?? null;
  }

  /** Returns senders whose name begins with the letters, the latest first. */
  beginning(letters: string, max: number): Sender[] {
    const wanted = letters.toLowerCase();
    return this.#latest()
      .filter(({ name }) => name.toLowerCase().startsWith(wanted))
      .slice(0, max);
  }

  #latest(): Sender[] {
    return [...this.#byUser.values()].reverse();
  }
}

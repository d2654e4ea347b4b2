// The user's rules for letters, and whom it blocks: read once, and changed here.

import { type Inbox, type Preferences } from '@barrage/client/inbox';
import { whyOf } from './texts/words.ts';

export class Blocks {
  #users = new Set<string>();
  #preferences: Preferences | null = null;
  /** Rules that the server has; those above may have a change that is being saved. */
  #saved: Preferences | null = null;
  #saving: Promise<void> = Promise.resolve();
  #loading: Promise<void> | null = null;

  /** Calls `changed` after each change, and `failed` with a reason in words. */
  constructor(
    private readonly inbox: Pick<Inbox, 'preferences' | 'prefer' | 'block' | 'unblock'>,
    private readonly changed: () => void,
    private readonly failed: (why: string) => void,
  ) {}

  /** Rules that are in force; null before they are read. */
  get preferences(): Preferences | null {
    return this.#preferences;
  }

  get users(): string[] {
    return [...this.#users];
  }

  has(user: string): boolean {
    return this.#users.has(user);
  }

  /** Reads the rules once, and again after a failure. */
  load(): Promise<void> {
    this.#loading ??= this.#load();
    return this.#loading;
  }

  /** Changes some of the rules. Changes are saved one after the other, so that a quick second one keeps the first. */
  prefer(change: Partial<Preferences>): Promise<void> {
    if (this.#preferences !== null) this.#preferences = { ...this.#preferences, ...change };
    this.#saving = this.#saving.then(() => this.#save());
    return this.#saving;
  }

  async block(user: string): Promise<void> {
    const changed = await this.inbox.block(user);
    if (changed.kind === 'refused') return this.failed(whyOf(changed));
    this.#users.add(user);
    this.changed();
  }

  async unblock(user: string): Promise<void> {
    const changed = await this.inbox.unblock(user);
    if (changed.kind === 'refused') return this.failed(whyOf(changed));
    this.#users.delete(user);
    this.changed();
  }

  async #load(): Promise<void> {
    const answer = await this.inbox.preferences();
    if ('kind' in answer) {
      this.#loading = null;
      return;
    }
    this.#preferences = this.#saved = answer.preferences;
    this.#users = new Set(answer.blocked);
    this.changed();
  }

  async #save(): Promise<void> {
    const wanted = this.#preferences;
    if (wanted === null || wanted === this.#saved) return;
    const changed = await this.inbox.prefer(wanted);
    if (changed.kind === 'refused') {
      this.#preferences = this.#saved;
      this.failed(whyOf(changed));
    } else {
      this.#saved = wanted;
    }
    this.changed();
  }
}

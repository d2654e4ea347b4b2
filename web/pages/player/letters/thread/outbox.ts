// Letters that were written here and are not in the conversation yet. Pure but for the sending.

import { type Medium } from '@barrage/client';
import { type Inbox, type Letter, type Undelivered, type Written } from '@barrage/client/inbox';
import { isKey, t } from '../texts/i18n.ts';
import { whyOf } from '../texts/words.ts';

/** Letters that wait here. With more the box says so. */
export const OUTBOX_MAX = 50;

export interface Outgoing {
  id: string;
  letter: Letter;
  /** The picture of the letter; null for one without. */
  medium: Medium | null;
  state: 'sending' | 'accepted' | 'failed';
  /** Reason of a failure, in words. */
  why: string;
}

export class Outbox {
  #letters = new Map<string, Outgoing>();

  /** `post` sends one letter; `changed` is called behind each change. */
  constructor(
    private readonly post: (letter: Letter) => Promise<Written>,
    private readonly changed: () => void,
  ) {}

  get letters(): Outgoing[] {
    return [...this.#letters.values()];
  }

  get isFull(): boolean {
    return this.#letters.size >= OUTBOX_MAX;
  }

  /** Sends a letter, or one that failed again, under its id: the server takes it once. */
  async send(letter: Letter, medium: Medium | null = null, id = letterId()): Promise<Written> {
    this.#letters.set(id, { id, letter, medium, state: 'sending', why: '' });
    this.changed();
    const written = await this.post({ ...letter, id });
    const known = this.#letters.get(id);
    // Its item has arrived before the answer.
    if (known) this.#become(known, written.kind === 'accepted' ? 'accepted' : 'failed', written.kind === 'accepted' ? '' : whyOf(written));
    return written;
  }

  /** The item of a letter is in the conversation. */
  arrived(id: string): void {
    this.#letters.delete(id);
  }

  /** A letter that was accepted has no effect. */
  undelivered({ id, reason }: Undelivered): void {
    const known = this.#letters.get(id);
    const key = `refused_${reason}`;
    if (known) this.#become(known, 'failed', isKey(key) ? t(key) : reason);
  }

  discard(id: string): void {
    this.#letters.delete(id);
    this.changed();
  }

  #become(known: Outgoing, state: Outgoing['state'], why: string): void {
    Object.assign(known, { state, why });
    this.changed();
  }
}

/** Sends to a conversation, or to a user to whom nothing was written yet. */
export function poster(inbox: Inbox, where: () => { conversation: string | null; user: string | null }): (letter: Letter) => Promise<Written> {
  return (letter) => {
    const { conversation, user } = where();
    return conversation === null && user !== null ? inbox.write(user, letter) : inbox.reply(conversation ?? '', letter);
  };
}

/** Returns a random id of 60 bits. Works without a secure context, unlike `crypto.randomUUID`. */
function letterId(): string {
  return Array.from(crypto.getRandomValues(new Uint8Array(12)), (byte) => (byte & 31).toString(32)).join('');
}

// What the console saw of each user: the last messages, mutes, rules hit. Bounded. Pure.

import { type Attrs, type Written } from '@barrage/client';

/** Messages of one user, as the card shows them. */
export const MESSAGES_MAX = 100;
/** Users to remember. The one who was silent for the longest time is forgotten. */
export const USERS_MAX = 2_000;
/** Rules hit that a card shows. */
const HITS_MAX = 50;

export interface Seen {
  sequence: number;
  body: Written;
  hidden: boolean;
}

export interface Hit {
  /** Review or message that hit the rule. */
  id: string;
  rule: string;
  matched: string;
  atMs: number;
}

export interface UserFacts {
  user: string;
  name: string;
  role: string;
  attrs: Attrs | null;
  /** By position, oldest first, at most MESSAGES_MAX. */
  messages: Seen[];
  mutedUntilMs: number;
  bannedUntilMs: number;
  hits: Hit[];
}

export class UserBook {
  readonly #users = new Map<string, UserFacts>();

  /** Adds a message, from the stream or from the history, in any order; one that is known changes nothing. */
  add(body: Written, sequence: number): void {
    const facts = this.of(body.user);
    const newest = facts.messages.at(-1)?.sequence ?? -1;
    if (sequence > newest) {
      facts.name = body.name;
      facts.role = body.type === 'chat' ? (body.role ?? '') : facts.role;
      facts.attrs = body.attrs ?? null;
      facts.messages.push({ sequence, body, hidden: false });
    } else {
      const at = facts.messages.findIndex((seen) => seen.sequence >= sequence);
      if (facts.messages[at]?.sequence === sequence) return;
      facts.messages.splice(at, 0, { sequence, body, hidden: false });
    }
    if (facts.messages.length > MESSAGES_MAX) facts.messages.shift();
  }

  /** Returns the facts of a user, and makes them where there are none. */
  of(user: string): UserFacts {
    const facts = this.#users.get(user) ?? { user, name: user, role: '', attrs: null, messages: [], mutedUntilMs: 0, bannedUntilMs: 0, hits: [] };
    this.#users.delete(user);
    this.#users.set(user, facts);
    if (this.#users.size > USERS_MAX) {
      const oldest = this.#users.keys().next();
      if (!oldest.done) this.#users.delete(oldest.value);
    }
    return facts;
  }

  hit(user: string, hit: Hit): void {
    const { hits } = this.of(user);
    if (hits.some(({ id }) => id === hit.id)) return;
    hits.unshift(hit);
    hits.splice(HITS_MAX);
  }

  hide(sequence: number): void {
    for (const { messages } of this.#users.values()) for (const seen of messages) if (seen.sequence === sequence) seen.hidden = true;
  }

  purge(user: string, before: number): void {
    for (const seen of this.#users.get(user)?.messages ?? []) if (seen.sequence < before) seen.hidden = true;
  }

  clear(before: number): void {
    for (const user of this.#users.keys()) this.purge(user, before);
  }
}

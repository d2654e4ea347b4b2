// Whether this user follows the host of the room, to hear when the host is live. Offered where the server sends
// notifications.

import { type Refused, type Room } from '@barrage/client';

/** Hosts of a page of the list, and pages that are read at most. Behind them the user counts as one who does not follow. */
const PAGE = 500;
const PAGES_MAX = 10;

export class Follow {
  #host: string | null = null;
  #follows: boolean | null = null;
  #isBusy = false;

  /** Calls `changed` when there is another thing to show. */
  constructor(
    private readonly room: Pick<Room, 'call'>,
    private readonly changed: () => void,
  ) {}

  /** Whether the user follows the host; null before that is known, and where there is nothing to offer. */
  get follows(): boolean | null {
    return this.#follows;
  }

  /** Asks for another host, once. */
  async of(host: string): Promise<void> {
    if (host === this.#host) return;
    this.#host = host;
    this.#follows = null;
    const called = await this.room.call<{ services?: string[] }>({ path: '/v1/push/key' });
    const isOffered = called.kind === 'answered' && (called.answer.services ?? []).length > 0;
    const follows = isOffered ? await this.#read(host) : null;
    if (host !== this.#host) return;
    this.#follows = follows;
    this.changed();
  }

  /** Begins or ends to follow. Returns why the server did not take it; null when it did. */
  async toggle(): Promise<Refused | null> {
    const [host, follows] = [this.#host, this.#follows];
    if (host === null || follows === null || this.#isBusy) return null;
    this.#isBusy = true;
    const called = await this.room.call({ method: follows ? 'DELETE' : 'PUT', path: `/v1/follows/${encodeURIComponent(host)}` });
    this.#isBusy = false;
    if (called.kind === 'refused') return called;
    if (host === this.#host) this.#follows = !follows;
    this.changed();
    return null;
  }

  async #read(host: string): Promise<boolean | null> {
    let after = '';
    for (let page = 0; page < PAGES_MAX; page += 1) {
      const called = await this.room.call<{ hosts: string[]; next_after?: string }>({ path: `/v1/follows?limit=${PAGE}${after}` });
      if (called.kind === 'refused') return null;
      const { hosts, next_after: next } = called.answer;
      if (hosts.includes(host)) return true;
      if (next === undefined) return false;
      after = `&after=${encodeURIComponent(next)}`;
    }
    return false;
  }
}

// The session of this browser: kept in its storage, and exchanged for a token before each connect. The
// token stays in memory, and a password is nowhere but in the request.

import { ApiFailure } from '@barrage/ui/api.ts';
import { keep, recall } from '@barrage/ui/storage.ts';
import { type Accounts } from './accounts.ts';
import { type AccountAnswer } from './answers.ts';

export const SESSION_KEY = 'barrage.session';

/** What the browser keeps of a session. */
export interface KeptSession {
  secret: string;
  name: string;
}

/** Codes by which the server refuses a session for good. */
const OVER: ReadonlySet<string> = new Set(['unauthorized', 'forbidden']);

export class Session {
  #kept: KeptSession | null = readKept(recall('local', SESSION_KEY));
  #last: AccountAnswer | null = null;
  #isOver = false;
  #listeners: (() => void)[] = [];

  constructor(private readonly accounts: Pick<Accounts, 'me'>) {
    // Another tab of this browser has signed in or out.
    globalThis.addEventListener?.('storage', (event) => {
      if (event.key === SESSION_KEY) this.#become(readKept(event.newValue));
    });
  }

  get now(): KeptSession | null {
    return this.#kept;
  }

  /** Whether the server has ended the session that this page had. */
  get isOver(): boolean {
    return this.#isOver;
  }

  /** Calls after each change of the session. */
  on(listener: () => void): void {
    this.#listeners.push(listener);
  }

  /** Keeps the session of a registration or a login. */
  begin({ session, name }: AccountAnswer): void {
    if (session !== null) this.#become({ secret: session, name }, true);
  }

  /** Forgets the session in this browser. */
  forget(): void {
    this.#become(null, true);
  }

  /** Forgets a session that the server has ended, and notes it for the person. */
  end(): void {
    this.#isOver = true;
    this.forget();
  }

  /**
   * Returns the token for the next connect; null when the session has ended. Without an answer the last token
   * counts until its end. Rejects when there is none, so that the room tries again.
   */
  async token(): Promise<string | null> {
    const asked = this.#kept;
    if (asked === null) return null;
    try {
      this.#last = await this.accounts.me(asked.secret);
      return this.#last.token;
    } catch (error) {
      if (error instanceof ApiFailure && OVER.has(error.code)) {
        if (this.#kept === asked) this.end();
        return null;
      }
      if (this.#last !== null && this.#last.tokenExpiresAtMs > Date.now()) return this.#last.token;
      throw error;
    }
  }


  #become(session: KeptSession | null, stores = false): void {
    this.#kept = session;
    this.#last = null;
    if (session !== null) this.#isOver = false;
    if (stores) keep('local', SESSION_KEY, session === null ? null : JSON.stringify(session));
    for (const listener of this.#listeners) listener();
  }
}

/** Reads a kept session of any origin; null for a value that is damaged. */
export function readKept(json: string | null): KeptSession | null {
  try {
    const { secret, name } = JSON.parse(json ?? '{}') as Record<string, unknown>;
    return typeof secret === 'string' && secret !== '' && typeof name === 'string' ? { secret, name } : null;
  } catch {
    return null;
  }
}

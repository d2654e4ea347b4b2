// Requests of the account routes, at the uplinks of the room. Secrets travel in bodies alone.

import { Api, ApiFailure } from '@barrage/ui/api.ts';
import { type AccountAnswer, type AccountsInfo, readAccount, readEnded, readInfo, readSessions, type SessionView } from './answers.ts';

/** Name and password, as a person wrote them. */
export interface Login {
  name: string;
  password: string;
}

/** Which sessions to end besides the caller's own: another one by its id, or all. */
export type Ended = { id: string } | { all: true } | Record<string, never>;

export class Accounts {
  /** Asks the uplinks that the room knows, in their order. */
  constructor(private readonly uplinks: () => Promise<string[]>) {}

  info(): Promise<AccountsInfo> {
    return this.#ask('GET', '', undefined, readInfo);
  }

  /** Registers at one uplink alone: a second one would find the name taken when the first answer was lost. */
  async register(login: Login): Promise<AccountAnswer> {
    const [uplink = ''] = await this.uplinks();
    return this.#askOne(uplink, 'POST', '/register', login, readAccount);
  }

  login(login: Login): Promise<AccountAnswer> {
    return this.#ask('POST', '/login', login, readAccount);
  }

  /** Makes the next token of a session, perhaps with another avatar; an empty one takes it away. */
  me(session: string, avatar?: string): Promise<AccountAnswer> {
    return this.#ask('POST', '/me', { session, avatar }, readAccount);
  }

  sessions(session: string): Promise<SessionView[]> {
    return this.#ask('POST', '/sessions', { session }, readSessions);
  }

  /** Ends sessions, and returns their number. */
  logout(session: string, which: Ended): Promise<number> {
    return this.#ask('POST', '/logout', { session, ...which }, readEnded);
  }

  /** Asks the uplinks in their order until one answers. Throws an ApiFailure. */
  async #ask<T>(method: string, path: string, body: unknown, read: (value: unknown) => T | null): Promise<T> {
    let failure: unknown = null;
    for (const uplink of await this.uplinks()) {
      try {
        return await this.#askOne(uplink, method, path, body, read);
      } catch (error) {
        failure = error;
        if (!(error instanceof ApiFailure) || error.kind !== 'network') break;
      }
    }
    throw failure;
  }

  async #askOne<T>(uplink: string, method: string, path: string, body: unknown, read: (value: unknown) => T | null): Promise<T> {
    const answer = read(await new Api(null, uplink).call<unknown>(method, `/v1/accounts${path}`, body));
    if (answer === null) throw new ApiFailure('network', 'network', 'not an answer of this server');
    return answer;
  }
}

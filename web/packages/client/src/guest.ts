// A guest: a name, and a token that entry signs for anybody where the server allows guests.

import { claimsOf } from './credentials.ts';
import type { Host } from './host.ts';

const NAME_KEY = 'barrage.name';
/** Key of the sign-in of this tab, which a reload keeps. */
const TOKEN_KEY = 'barrage.token';
const TIMEOUT_MS = 5_000;
/** Limit of the server for the name of a guest. */
const NAME_CHARACTERS_MAX = 20;

export interface GuestOptions {
  /** Name to show. Default: that of the last visit in this tab, else a random one. */
  name?: string | undefined;
  /** Beginning of a random name. */
  prefix?: string | undefined;
}

export class Guest {
  name: string;
  #prefix: string;
  /** Name that the caller asked for. Another one makes another guest. */
  #asked: string | null;
  #token: string | null;
  /** The server has no guests. */
  #isNobody = false;

  constructor(
    private readonly host: Host,
    { name, prefix = 'Guest' }: GuestOptions = {},
  ) {
    this.#prefix = prefix;
    const kept = this.#kept();
    this.#asked = name ?? kept?.asked ?? null;
    this.#token = kept && (name === undefined || name === kept.asked) ? kept.token : null;
    const words = name?.trim() || host.recall('session', NAME_KEY) || this.#random();
    this.name = [...words].slice(0, NAME_CHARACTERS_MAX).join('');
    host.keep('session', NAME_KEY, this.name);
  }

  /** Returns the guest's token; null where the server has no guests. Rejects when no answer comes. */
  async token(): Promise<string | null> {
    if (this.#token !== null || this.#isNobody) return this.#token;
    let answer = await this.#post();
    if (answer.status === 400 || answer.status === 422) {
      // The server refused the name: a guest with a random name may still send.
      this.name = this.#random();
      this.host.keep('session', NAME_KEY, this.name);
      answer = await this.#post();
    }
    const { status, token } = answer;
    if (status >= 500 || status === 429) throw new Error(`guest token: ${status}`);
    this.#isNobody = token === null;
    if (token === null) return null;
    this.#token = token;
    this.host.keep('session', TOKEN_KEY, JSON.stringify({ kind: 'guest', token, asked: this.#asked }));
    return token;
  }

  /** Forgets a refused token. */
  forget(): void {
    this.#token = null;
    this.#isNobody = false;
    this.host.keep('session', TOKEN_KEY, null);
  }

  #post(): Promise<{ status: number; token: string | null }> {
    const init = {
      method: 'POST',
      headers: { 'Content-Type': 'application/json' },
      body: JSON.stringify({ name: this.name }),
    };
    return this.host.ask(this.host.url('/v1/guest').href, init, TIMEOUT_MS, async (answer) => {
      const body = answer.ok ? ((await answer.json()) as { token?: unknown } | null) : null;
      return { status: answer.status, token: typeof body?.token === 'string' ? body.token : null };
    });
  }

  #random(): string {
    return this.#prefix + String(100 + Math.floor(Math.random() * 900));
  }

  /** Returns the sign-in from before a reload; null when there is none or it has expired. */
  #kept(): { token: string; asked: string | null } | null {
    try {
      const { kind, token, asked } = JSON.parse(this.host.recall('session', TOKEN_KEY) ?? '{}') as Record<string, unknown>;
      if (typeof token !== 'string' || kind !== 'guest') return null;
      const { exp } = claimsOf(token);
      const holds = exp === undefined || exp * 1000 > Date.now();
      if (holds) return { token, asked: typeof asked === 'string' ? asked : null };
    } catch {
      // Not a value that this client wrote.
    }
    return null;
  }
}

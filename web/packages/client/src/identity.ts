// The viewer's sign-in: a token from the address bar or from before a reload, a guest token, or none.

import { keep, recall } from './storage.ts';

const NAME_KEY = 'barrage.name';
/** Key of the sign-in of this tab, which a reload keeps. */
const TOKEN_KEY = 'barrage.token';
const TIMEOUT_MS = 5_000;
/** Limit of the server for the name of a guest. */
const NAME_CHARACTERS_MAX = 20;

export type Kind = 'token' | 'guest' | 'anonymous';

export class Identity {
  kind: Kind = 'guest';
  user: string | null = null;
  token: string | null = null;
  #asking: Promise<void> | null = null;
  #known = false;

  private constructor(
    public name: string,
    private readonly guestPrefix: string,
    /** Name in the address bar. */
    private readonly asked: string | null,
  ) {}

  /**
   * Reads `#token=` and removes it from the address bar. Without it, the sign-in that this tab had
   * before a reload remains. An empty `#token=` signs out.
   */
  static fromPage(guestPrefix: string): Identity {
    const query = new URLSearchParams(location.search);
    const given = new URLSearchParams(location.hash.slice(1)).get('token');
    if (given !== null) {
      history.replaceState(null, '', location.pathname + location.search);
      keep('session', TOKEN_KEY, null);
    }
    const kept = given === null ? keptToken() : null;
    const name = query.get('name');
    const identity = new Identity(chosenName(name, guestPrefix), guestPrefix, name ?? kept?.asked ?? null);
    if (given) identity.#signIn('token', given);
    // Another name in the address bar makes another guest.
    else if (kept && !(kept.kind === 'guest' && name !== null && name !== kept.asked)) {
      identity.#signIn(kept.kind, kept.token);
    }
    return identity;
  }

  #signIn(kind: 'token' | 'guest', token: string): void {
    const claims = readClaims(token);
    this.kind = kind;
    this.token = token;
    this.user = claims.sub ?? this.user;
    this.name = claims.name ?? (kind === 'token' ? claims.sub : undefined) ?? this.name;
    this.#known = true;
    keep('session', TOKEN_KEY, JSON.stringify({ kind, token, asked: this.asked }));
  }

  get canSend(): boolean {
    return this.token !== null;
  }

  /** Resolves when the sign-in is known, after a request for a guest token if needed; rejects when that fails. */
  ready(): Promise<void> {
    if (this.#known) return Promise.resolve();
    this.#asking ??= this.#askGuest().finally(() => {
      this.#asking = null;
    });
    return this.#asking;
  }

  /** Forgets a refused token. Returns true when the server gave another one. */
  async renew(): Promise<boolean> {
    keep('session', TOKEN_KEY, null);
    if (this.kind !== 'guest') return false;
    this.#known = false;
    await this.ready();
    return this.token !== null;
  }

  async #askGuest(): Promise<void> {
    let answer = await this.#postGuest();
    if (answer.status === 400 || answer.status === 422) {
      // The server refused the name: a guest with a random name may still send.
      this.name = randomName(this.guestPrefix);
      keep('session', NAME_KEY, this.name);
      answer = await this.#postGuest();
    }
    if (answer.ok) {
      const guest = (await answer.json()) as { token: string; user: string };
      this.user = guest.user;
      this.#signIn('guest', guest.token);
      return;
    }
    if (answer.status >= 500 || answer.status === 429) throw new Error(`guest token: ${answer.status}`);
    this.kind = 'anonymous';
    this.token = null;
    this.#known = true;
  }

  #postGuest(): Promise<Response> {
    return fetch('/v1/guest', {
      method: 'POST',
      headers: { 'Content-Type': 'application/json' },
      body: JSON.stringify({ name: this.name }),
      signal: AbortSignal.timeout(TIMEOUT_MS),
    });
  }
}

function chosenName(asked: string | null, prefix: string): string {
  const name = asked?.trim() || recall('session', NAME_KEY) || randomName(prefix);
  const short = [...name].slice(0, NAME_CHARACTERS_MAX).join('');
  keep('session', NAME_KEY, short);
  return short;
}

function randomName(prefix: string): string {
  return prefix + String(100 + Math.floor(Math.random() * 900));
}

/** Returns the sign-in from before a reload; null when there is none or it has expired. */
function keptToken(): { kind: 'token' | 'guest'; token: string; asked: string | null } | null {
  try {
    const { kind, token, asked } = JSON.parse(recall('session', TOKEN_KEY) ?? '{}') as Record<string, unknown>;
    if (typeof token !== 'string' || (kind !== 'token' && kind !== 'guest')) return null;
    const { exp } = readClaims(token);
    const holds = exp === undefined || exp * 1000 > Date.now();
    if (holds) return { kind, token, asked: typeof asked === 'string' ? asked : null };
  } catch {
    // Not a value that this page wrote.
  }
  keep('session', TOKEN_KEY, null);
  return null;
}

/** Reads the claims for display only: the server verifies the token. */
function readClaims(token: string): { sub?: string; name?: string; exp?: number } {
  try {
    const payload = (token.split('.')[1] ?? '').replaceAll('-', '+').replaceAll('_', '/');
    const bytes = Uint8Array.from(atob(payload), (c) => c.charCodeAt(0));
    return JSON.parse(new TextDecoder().decode(bytes)) as { sub?: string; name?: string; exp?: number };
  } catch {
    return {};
  }
}

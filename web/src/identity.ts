// Who watches: a token from the address bar, a guest token, or nobody.

const NAME_KEY = 'barrage.name';
const TIMEOUT_MS = 5_000;
/** The server's own limit for a guest's name. */
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
  ) {}

  /** Reads the address bar, and removes the token from it. */
  static fromPage(guestPrefix: string): Identity {
    const query = new URLSearchParams(location.search);
    const token = new URLSearchParams(location.hash.slice(1)).get('token');
    const identity = new Identity(chosenName(query.get('name'), guestPrefix), guestPrefix);
    if (token) {
      history.replaceState(null, '', location.pathname + location.search);
      const claims = readClaims(token);
      identity.kind = 'token';
      identity.token = token;
      identity.user = claims.sub ?? null;
      identity.name = claims.name ?? claims.sub ?? identity.name;
      identity.#known = true;
    }
    return identity;
  }

  get canSend(): boolean {
    return this.token !== null;
  }

  /** Resolves when it is known who watches; rejects when the server cannot be asked. */
  ready(): Promise<void> {
    if (this.#known) return Promise.resolve();
    this.#asking ??= this.#askGuest().finally(() => {
      this.#asking = null;
    });
    return this.#asking;
  }

  /** After a refused token: true when another one was had. */
  async renew(): Promise<boolean> {
    if (this.kind !== 'guest') return false;
    this.#known = false;
    await this.ready();
    return this.token !== null;
  }

  async #askGuest(): Promise<void> {
    let answer = await this.#postGuest();
    if (answer.status === 400 || answer.status === 422) {
      // The name was refused: somebody without a name of their own may still speak.
      this.name = randomName(this.guestPrefix);
      sessionStorage.setItem(NAME_KEY, this.name);
      answer = await this.#postGuest();
    }
    if (answer.ok) {
      const guest = (await answer.json()) as { token: string; user: string };
      this.token = guest.token;
      this.user = guest.user;
      this.#known = true;
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
  const name = asked?.trim() || sessionStorage.getItem(NAME_KEY) || randomName(prefix);
  const short = [...name].slice(0, NAME_CHARACTERS_MAX).join('');
  sessionStorage.setItem(NAME_KEY, short);
  return short;
}

function randomName(prefix: string): string {
  return prefix + String(100 + Math.floor(Math.random() * 900));
}

/** For display alone: the server verifies, not the page. */
function readClaims(token: string): { sub?: string; name?: string } {
  try {
    const payload = (token.split('.')[1] ?? '').replaceAll('-', '+').replaceAll('_', '/');
    const bytes = Uint8Array.from(atob(payload), (c) => c.charCodeAt(0));
    return JSON.parse(new TextDecoder().decode(bytes)) as { sub?: string; name?: string };
  } catch {
    return {};
  }
}

// The sign-in of one room: a token from the caller's function, which is called before every connect; a
// guest's token; or none.

import { Failure } from './failure.ts';
import type { Guest, GuestOptions } from './guest.ts';
import type { Host } from './host.ts';

/** Longest wait for the caller's function. */
const TOKEN_WAIT_MS = 15_000;
/** Tokens in a row that the server refuses until the visit ends. */
const REFUSALS_MAX = 5;

/**
 * Returns the token of the user, or null to watch without one. `signal` aborts when the room is closed or the
 * answer comes too late.
 */
export type TokenSource = (ask: { signal: AbortSignal }) => string | null | Promise<string | null>;

export interface Claims {
  sub?: string;
  name?: string;
  role?: string;
  exp?: number;
}

export class Credentials {
  /** Token of the last call; null before it, and for an anonymous viewer. */
  token: string | null = null;
  /** User id as the server or the token names it. */
  user: string | null = null;
  #claims: Claims = {};
  /** Whether the token of this visit is known. */
  isKnown = false;
  #asking: Promise<void> | null = null;
  #refused: string | null = null;
  #refusals = 0;
  #guest: Guest | null = null;

  constructor(
    private readonly host: Host,
    private readonly source: TokenSource | null,
    private readonly guest: GuestOptions = {},
  ) {}

  get kind(): 'token' | 'guest' | 'anonymous' {
    if (this.token === null) return 'anonymous';
    return this.source ? 'token' : 'guest';
  }

  get name(): string {
    return this.#claims.name ?? (this.source ? this.#claims.sub : undefined) ?? this.#guest?.name ?? '';
  }

  get role(): string {
    return this.#claims.role ?? 'viewer';
  }

  /** Asks for the token of the next connect. Rejects where the caller's function has none; two calls at once share one answer. */
  fetch(): Promise<void> {
    this.#asking ??= this.#fetch().finally(() => {
      this.#asking = null;
    });
    return this.#asking;
  }

  /** Notes that the server accepted the token. */
  accepted(user: string | undefined): void {
    if (user !== undefined) this.user = user;
    this.forgive();
  }

  /** Notes that the server refused the token. Returns whether another token may help. */
  refused(): boolean {
    this.#refusals += 1;
    // The server makes a guest's token anew, so that it counts as another one.
    this.#refused = this.source ? this.token : null;
    if (this.source === null) this.#guest?.forget();
    return this.token !== null && this.#refusals < REFUSALS_MAX;
  }

  /** Whether the last call returned the token that the server has just refused. */
  get isRefused(): boolean {
    return this.#refused !== null && this.#refused === this.token;
  }

  /** Forgets the refusals, so that the next tokens are tried. */
  forgive(): void {
    this.#refused = null;
    this.#refusals = 0;
  }

  /** Asks for another token, because an uplink refused this one. Returns whether there is one. */
  async renew(): Promise<boolean> {
    const before = this.token;
    if (this.source === null) this.#guest?.forget();
    await this.fetch();
    return this.token !== null && this.token !== before;
  }

  async #fetch(): Promise<void> {
    const token = this.source ? await this.#call(this.source) : await this.#ofGuest();
    this.token = token;
    this.isKnown = true;
    this.#claims = token === null ? {} : claimsOf(token);
    this.user = this.#claims.sub ?? (token === null ? null : this.user);
  }

  async #ofGuest(): Promise<string | null> {
    const { Guest } = await import('./guest.ts');
    this.#guest ??= new Guest(this.host, this.guest);
    return this.#guest.token();
  }

  async #call(source: TokenSource): Promise<string | null> {
    const { signal, failed, done } = this.host.deadline(TOKEN_WAIT_MS);
    try {
      const token: unknown = await Promise.race([Promise.resolve().then(() => source({ signal })), failed]);
      if (token === null || typeof token === 'string') return token || null;
      throw new TypeError(`token() returned ${typeof token}`);
    } catch (error) {
      throw new Failure('token', error instanceof Error ? error.message : String(error));
    } finally {
      done();
    }
  }
}

/** Reads the claims for display only: the server verifies the token. */
export function claimsOf(token: string): Claims {
  try {
    const payload = (token.split('.')[1] ?? '').replaceAll('-', '+').replaceAll('_', '/');
    const bytes = Uint8Array.from(atob(payload), (c) => c.charCodeAt(0));
    return (JSON.parse(new TextDecoder().decode(bytes)) ?? {}) as Claims;
  } catch {
    return {};
  }
}

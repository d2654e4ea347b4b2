// The sign-in of this page: a token from the address bar or from before a reload; else the session of an
// account; else the SDK's guest.

import { type TokenSource } from '@barrage/client';
import { keep, recall } from '@barrage/ui/storage.ts';
import { type Session } from '../account/session.ts';

/** Key of the sign-in of this tab, which a reload keeps. The SDK keeps a guest under the same key. */
const KEY = 'barrage.token';

export interface SignIn {
  /** Name in the address bar. */
  name: string | undefined;
  /** Returns the user's token; absent for a guest. */
  token: TokenSource | undefined;
  /** Whether a site gave the token: people sign in there, and not on this page. */
  isGiven: boolean;
}

/**
 * Reads `#token=` and removes it from the address bar. Without it, the sign-in that this tab had before a
 * reload remains, and then the session of this browser. An empty `#token=` forgets the token of this tab.
 */
export function signIn(session: Session): SignIn {
  const name = new URLSearchParams(location.search).get('name') ?? undefined;
  const given = new URLSearchParams(location.hash.slice(1)).get('token');
  if (given !== null) {
    history.replaceState(null, '', location.pathname + location.search);
    keep('session', KEY, given === '' ? null : JSON.stringify({ kind: 'token', token: given }));
  }
  const token = given || keptToken();
  if (token !== null) return { name, token: () => token, isGiven: true };
  return { name, token: session.now === null ? undefined : () => session.token(), isGiven: false };
}

/** Forgets a token that the server refused, so that a reload begins as a guest. */
export function signOut(): void {
  if (keptToken() !== null) keep('session', KEY, null);
}

/** Returns the user's token from before a reload; null without one, for a guest's, and for one that has expired. */
function keptToken(): string | null {
  try {
    const { kind, token } = JSON.parse(recall('session', KEY) ?? '{}') as Record<string, unknown>;
    return kind === 'token' && typeof token === 'string' && isValid(token) ? token : null;
  } catch {
    // Not a value that this page wrote.
    return null;
  }
}

/** Whether the token's end is not over by the clock of this machine. */
function isValid(token: string): boolean {
  try {
    const payload = (token.split('.')[1] ?? '').replaceAll('-', '+').replaceAll('_', '/');
    const { exp } = JSON.parse(atob(payload)) as { exp?: number };
    return exp === undefined || exp * 1000 > Date.now();
  } catch {
    return true;
  }
}

/** Returns the entries that the page's `<meta name="barrage-entry">` lists, separated by spaces. */
export function entryOrigins(): string[] {
  const list = document.querySelector<HTMLMetaElement>('meta[name="barrage-entry"]')?.content ?? '';
  return list.split(/\s+/).filter((url) => url !== '');
}

// Order of the sources of endpoints. Pure: the client in Rust
// passes the same test vectors (services/client/vectors/sources.json). A page cannot connect to an
// address under another name, as a program can: it asks URLs, and the browser checks the certificate.

import { type Addresses, CLOCK_ERROR_MS } from './answer.ts';

const DAY_MS = 24 * 3_600_000;
/** Time for which a stored answer is used. */
const STORED_LIFE_MS = 7 * DAY_MS;
/** Age of an embedded list up to which its addresses are tried before names. */
const EMBEDDED_YOUNG_MS = 180 * DAY_MS;
/** Base URLs of entry to ask, at most. */
const ENTRIES_MAX = 8;
/** Attempts by address before the names, at most. */
const ADDRESSES_MAX = 6;
/** Attempts by an address of an old embedded list, at most. */
const LATE_ADDRESSES_MAX = 4;

export interface Known {
  now_ms: number;
  /** `addresses` for a program, `urls` for a page. */
  dials?: 'addresses' | 'urls';
  /** Origin of the page. */
  here?: string;
  entries?: string[];
  embedded?: { issued_ms?: number | null; entries?: string[]; addresses?: Addresses; has_endpoints?: boolean } | null;
  stored?: { saved_ms: number; entries?: string[]; addresses?: Addresses } | null;
}

export type Source =
  | { kind: 'address'; url: string; address: string }
  | { kind: 'entry'; url: string }
  | { kind: 'stored' }
  | { kind: 'embedded' };

/** Returns the sources in the order to try. */
export function sources(known: Known): Source[] {
  const { now_ms: nowMs, here, embedded } = known;
  const stored = known.stored && isAlive(known.stored.saved_ms, nowMs) ? known.stored : null;
  const entries = distinct([
    ...(here === undefined ? [] : [here]),
    ...(known.entries ?? []),
    ...(stored?.entries ?? []),
    ...(embedded?.entries ?? []),
  ]);
  const young = embedded && isYoung(embedded.issued_ms, nowMs) ? embedded : null;
  const old = embedded && !young ? embedded : null;
  const dials = known.dials ?? 'addresses';
  const early = dials === 'urls' ? [] : byAddress(entries, [stored?.addresses ?? {}, young?.addresses ?? {}]);
  const late = dials === 'urls' ? [] : byAddress(entries, [old?.addresses ?? {}]);
  const isEarly = (one: Source) => early.some((other) => text(other) === text(one));
  const others = entries.filter((url) => url !== here);
  const entry = (url: string): Source => ({ kind: 'entry', url });
  return [
    ...entries.filter((url) => url === here).map(entry),
    ...early.slice(0, ADDRESSES_MAX),
    ...others.filter(hasLiteral).map(entry),
    ...others.filter((url) => !hasLiteral(url)).map(entry),
    ...(stored ? [{ kind: 'stored' } as const] : []),
    ...late.filter((one) => one.url.startsWith('https:') && !isEarly(one)).slice(0, LATE_ADDRESSES_MAX),
    ...(embedded?.has_endpoints ? [{ kind: 'embedded' } as const] : []),
  ];
}

/** Returns a source as the test vectors write it. */
export function text(source: Source): string {
  switch (source.kind) {
    case 'address':
      return `address ${source.url} ${source.address}`;
    case 'entry':
      return `entry ${source.url}`;
    case 'stored':
    case 'embedded':
      return source.kind;
  }
}

function isAlive(savedMs: number, nowMs: number): boolean {
  return savedMs <= nowMs + CLOCK_ERROR_MS && nowMs - savedMs <= STORED_LIFE_MS;
}

function isYoung(issuedMs: number | null | undefined, nowMs: number): boolean {
  return typeof issuedMs === 'number' && nowMs - issuedMs <= EMBEDDED_YOUNG_MS;
}

/** Returns the first address of every entry, then every second one, and so on. */
function byAddress(entries: string[], books: Addresses[]): { kind: 'address'; url: string; address: string }[] {
  const found = entries
    .filter((url) => !hasLiteral(url))
    .map((url) => ({ url, addresses: [...new Set(books.flatMap((book) => book[hostOf(url) ?? ''] ?? []))] }));
  const rounds = Math.max(0, ...found.map(({ addresses }) => addresses.length));
  const order = [];
  for (let round = 0; round < rounds; round += 1) {
    for (const { url, addresses } of found) {
      const address = addresses[round];
      if (address !== undefined) order.push({ kind: 'address' as const, url, address });
    }
  }
  return order;
}

function distinct(urls: string[]): string[] {
  const known = urls.map((url) => url.replace(/\/+$/, '')).filter((url) => hostOf(url) !== null);
  return [...new Set(known)].slice(0, ENTRIES_MAX);
}

function hostOf(url: string): string | null {
  let parsed: URL;
  try {
    parsed = new URL(url);
  } catch {
    return null;
  }
  return parsed.protocol === 'http:' || parsed.protocol === 'https:' ? parsed.hostname : null;
}

/** Whether the URL has an IP address in the place of a name. URLs write IPv6 in brackets. */
function hasLiteral(url: string): boolean {
  const host = hostOf(url) ?? '';
  return host.startsWith('[') || /^\d+(\.\d+){3}$/.test(host);
}

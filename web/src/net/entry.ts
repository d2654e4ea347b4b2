// Asks entry for the room's gateways and uplinks, and for the time to connect. This page's own origin
// is always the last gateway, because one process may serve everything.

import { Backoff } from './backoff.ts';

const TIMEOUT_MS = 5_000;
/** Least time for which an answer of entry is used. */
const TTL_MS_MIN = 5_000;

interface EntryAnswer {
  downlinks?: { transport: string; url: string }[];
  uplinks?: string[];
  ticket?: { token: string; wait_ms: number };
  ttl_ms?: number;
  backoff_base_ms?: number;
  backoff_max_ms?: number;
}

/** A slot in the join queue: wait, then connect once with the token. */
export interface Ticket {
  token: string;
  waitMs: number;
}

/** The servers are full and gave no ticket: ask again after `retryMs`. */
export class TurnedAway extends Error {
  constructor(readonly retryMs: number) {
    super(`entry asked to retry in ${retryMs} ms`);
  }
}

/** The room is missing or closed: a retry helps only after that has changed. */
export class NoRoom extends Error {
  constructor(
    readonly code: string,
    message: string,
  ) {
    super(message);
  }
}

const NO_ROOM = new Set(['unknown_room', 'room_closed']);

export class Entry {
  #downlinks: string[] = [];
  #uplinks: string[] = [];
  #ticket: Ticket | null = null;
  #freshUntil = 0;
  /** Until when a connect may use the answer, in `performance.now()`. */
  #openUntil = 0;
  /** Backoff between attempts to connect, with the limits that entry gives. */
  readonly backoff = new Backoff(500, 30_000);

  constructor(private readonly room: string) {}

  /**
   * Returns the WebSocket URLs in the order to try; this page's own origin is the last one. With a
   * ticket the caller waits, then connects with it. Rejects with `TurnedAway` when the servers are
   * full and gave no ticket, and with `NoRoom` when the room is missing or closed.
   */
  async gateways(): Promise<{ urls: string[]; ticket: Ticket | null }> {
    if (performance.now() >= this.#openUntil) await this.#ask('watch');
    const ticket = this.#ticket;
    this.#ticket = null;
    // A ticket is valid once: the next connect asks for another.
    if (ticket) this.#openUntil = 0;
    const own = new URL(`/v1/rooms/${encodeURIComponent(this.room)}/ws`, location.href);
    own.protocol = location.protocol === 'https:' ? 'wss:' : 'ws:';
    return { urls: [...new Set([...this.#downlinks, own.href])], ticket };
  }

  /**
   * Returns the base URLs to post to, in the order to try. Only where entry names none, this page's
   * own origin takes posts.
   */
  async uplinks(): Promise<string[]> {
    if (performance.now() >= this.#freshUntil) await this.#ask('send');
    return this.#uplinks.length > 0 ? [...new Set(this.#uplinks)] : [location.origin];
  }

  /** Makes the next post ask entry again, because an uplink did not answer. */
  forgetUplinks(): void {
    this.#freshUntil = 0;
  }

  /** Asks entry whether the room is open, without taking a slot in the join queue. */
  async roomIsOpen(): Promise<boolean> {
    try {
      const answer = await fetch(this.#url('send'), { signal: AbortSignal.timeout(TIMEOUT_MS), cache: 'no-store' });
      const body: unknown = answer.ok ? null : await answer.json().catch(() => null);
      return answer.ok || !NO_ROOM.has(refusalOf(body).code ?? 'unknown_room');
    } catch {
      return false;
    }
  }

  #url(purpose: 'watch' | 'send'): string {
    return `/v1/entry?room=${encodeURIComponent(this.room)}&purpose=${purpose}`;
  }

  /** Makes the next call ask entry again. */
  forget(): void {
    this.#freshUntil = 0;
    this.#openUntil = 0;
    this.#ticket = null;
  }

  /** Asks entry. Only the purpose `watch` may take a slot in the join queue. */
  async #ask(purpose: 'watch' | 'send'): Promise<void> {
    let answer: Response;
    try {
      answer = await fetch(this.#url(purpose), {
        signal: AbortSignal.timeout(TIMEOUT_MS),
        cache: 'no-store',
      });
    } catch {
      // Entry does not answer: the known endpoints and the page's own origin remain.
      return;
    }
    const body: unknown = await answer.json().catch(() => null);
    if (answer.ok) this.#take(body as EntryAnswer | null, purpose);
    else if (purpose === 'watch') refuse(body);
  }

  #take(entry: EntryAnswer | null, purpose: 'watch' | 'send'): void {
    if (!entry) return;
    this.#downlinks = (entry.downlinks ?? []).filter((e) => e.transport === 'ws').map((e) => socketUrl(e.url));
    this.#uplinks = (entry.uplinks ?? []).map((url) => new URL(url, location.href).origin);
    this.backoff.limits(entry.backoff_base_ms ?? 500, entry.backoff_max_ms ?? 30_000);
    this.#freshUntil = performance.now() + Math.max(entry.ttl_ms ?? 60_000, TTL_MS_MIN);
    if (purpose === 'send') return;
    this.#openUntil = this.#freshUntil;
    this.#ticket = entry.ticket ? { token: entry.ticket.token, waitMs: entry.ticket.wait_ms } : null;
  }
}

/** Throws for a missing room and for a refusal with a time; any other leaves the known endpoints. */
function refuse(body: unknown): void {
  const { code, message, retry_after_ms } = refusalOf(body);
  if (code !== undefined && NO_ROOM.has(code)) throw new NoRoom(code, message ?? '');
  if (retry_after_ms !== undefined) throw new TurnedAway(retry_after_ms);
}

function refusalOf(body: unknown): { code?: string; message?: string; retry_after_ms?: number } {
  return (body as { error?: object } | null)?.error ?? {};
}

function socketUrl(url: string): string {
  const parsed = new URL(url, location.href);
  if (parsed.protocol === 'http:') parsed.protocol = 'ws:';
  if (parsed.protocol === 'https:') parsed.protocol = 'wss:';
  return parsed.href;
}

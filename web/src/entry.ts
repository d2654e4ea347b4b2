// Where the room's gateways and uplinks are, and when to come. This page's own origin is always the last
// of them: one process serves everything.

import { Backoff } from './backoff.ts';

const TIMEOUT_MS = 5_000;
/** An answer is kept at least this long, whatever it says. */
const TTL_MS_MIN = 5_000;

interface EntryAnswer {
  downlinks?: { transport: string; url: string }[];
  uplinks?: string[];
  ticket?: { token: string; wait_ms: number };
  ttl_ms?: number;
  backoff_base_ms?: number;
  backoff_max_ms?: number;
}

/** When to come, and with what: good for one connect. */
export interface Ticket {
  token: string;
  waitMs: number;
}

/** More want in than the servers admit: come back after this. */
export class TurnedAway extends Error {
  constructor(readonly retryMs: number) {
    super(`entry said to come back in ${retryMs} ms`);
  }
}

/** The room is not there, or closed: coming back helps only once that has changed. */
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
  /** Until when the answer is good for a connect. */
  #openUntil = 0;
  /** Between attempts to connect, as entry wants it. */
  readonly backoff = new Backoff(500, 30_000);

  constructor(private readonly room: string) {}

  /**
   * WebSocket URLs in the order to try; this page's own origin is always the last of them. With a
   * ticket: wait, then show it. Rejects with `TurnedAway` when there is not even a ticket, and with
   * `NoRoom` when there is no such room to watch.
   */
  async way(): Promise<{ urls: string[]; ticket: Ticket | null }> {
    if (performance.now() >= this.#openUntil) await this.#ask('watch');
    const ticket = this.#ticket;
    this.#ticket = null;
    // A ticket is good once: the next connect asks for another.
    if (ticket) this.#openUntil = 0;
    const own = new URL(`/v1/rooms/${encodeURIComponent(this.room)}/ws`, location.href);
    own.protocol = location.protocol === 'https:' ? 'wss:' : 'ws:';
    return { urls: [...new Set([...this.#downlinks, own.href])], ticket };
  }

  /**
   * Base URLs to post to, in the order to try. Where entry names none, this page's own origin may
   * serve everything; where it does, this origin is entry's and takes no posts.
   */
  async uplinks(): Promise<string[]> {
    if (performance.now() >= this.#freshUntil) await this.#ask('send');
    return this.#uplinks.length > 0 ? [...new Set(this.#uplinks)] : [location.origin];
  }

  /** An uplink did not answer: the next post asks entry for the uplinks of now. */
  forgetUplinks(): void {
    this.#freshUntil = 0;
  }

  /** Whether entry says that the room is there and open. Asks without taking a turn. */
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

  /** The next call asks again. */
  forget(): void {
    this.#freshUntil = 0;
    this.#openUntil = 0;
    this.#ticket = null;
  }

  /** Who asks in order to send is given no turn, and needs none. */
  async #ask(purpose: 'watch' | 'send'): Promise<void> {
    let answer: Response;
    try {
      answer = await fetch(this.#url(purpose), {
        signal: AbortSignal.timeout(TIMEOUT_MS),
        cache: 'no-store',
      });
    } catch {
      // Entry is away: the endpoints known so far and the own origin remain.
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

/** A refusal without a time leaves the endpoints known so far, unless there is no room. */
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

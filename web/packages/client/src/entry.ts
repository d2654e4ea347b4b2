// Asks entry for the room's gateways and uplinks, and for the time to connect. This page's own origin
// is always the last gateway, because one process may serve everything.

import { ask, type Purpose } from './asking.ts';
import { Backoff } from './backoff.ts';
import { type Endpoint, TRANSPORTS } from './channel.ts';
import { keeper } from './keeper.ts';
import { type RacePlan, UplinkRace } from './race.ts';
import type { EntryAnswer, EntryRefusal } from './sources.ts';
import { UplinkOrder } from './uplink_order.ts';

const TIMEOUT_MS = 5_000;
/** Least time for which an answer of entry is used. */
const TTL_MS_MIN = 5_000;

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
  #downlinks: Endpoint[] = [];
  readonly #uplinks = new UplinkOrder();
  #racePlan: RacePlan | null = null;
  readonly #race = new UplinkRace();
  #ticket: Ticket | null = null;
  #freshUntil = 0;
  /** Until when a connect may use the answer, in `performance.now()`. */
  #openUntil = 0;
  /** Backoff between attempts to connect, with the limits that entry gives. */
  readonly backoff = new Backoff(500, 30_000);

  /** `origins` are entries to ask when this page's own origin does not answer. */
  constructor(
    private readonly room: string,
    private readonly origins: readonly string[] = [],
  ) {}

  /**
   * Returns the endpoints in the order to try; this page's own origin is the last one. With a
   * ticket the caller waits, then connects with it. Rejects with `TurnedAway` when the servers are
   * full and gave no ticket, and with `NoRoom` when the room is missing or closed.
   */
  async gateways(): Promise<{ endpoints: Endpoint[]; ticket: Ticket | null }> {
    if (performance.now() >= this.#openUntil) await this.#ask('watch');
    const ticket = this.#ticket;
    this.#ticket = null;
    // A ticket is valid once: the next connect asks for another.
    if (ticket) this.#openUntil = 0;
    return { endpoints: this.#known(), ticket };
  }

  /** Returns the endpoints for a viewer that has its place, without taking a slot in the join queue. */
  async others(): Promise<Endpoint[]> {
    if (performance.now() >= this.#freshUntil) await this.#ask('send');
    return this.#known();
  }

  /** The endpoints of entry, then those of this page's own origin. */
  #known(): Endpoint[] {
    const own = TRANSPORTS.map((transport) => {
      const url = new URL(`/v1/rooms/${encodeURIComponent(this.room)}/${transport}`, location.href).href;
      return { transport, url: transport === 'ws' ? socketUrl(url) : url };
    });
    const named = new Set(this.#downlinks.map((endpoint) => endpoint.url));
    return [...this.#downlinks, ...own.filter((endpoint) => !named.has(endpoint.url))];
  }

  /**
   * Returns the base URLs to post to, in the order to try. Only where entry names none, this page's
   * own origin takes posts.
   */
  async uplinks(): Promise<string[]> {
    if (performance.now() >= this.#freshUntil) await this.#ask('send');
    const uplinks = this.#uplinks.order(performance.now());
    // Only those who post measure: a viewer that watches needs no uplink.
    if (this.#racePlan) this.#race.start(uplinks, this.#racePlan, (url, ms) => this.#uplinks.raced(performance.now(), url, ms));
    return uplinks.length > 0 ? uplinks : [location.origin];
  }

  /** Notes an answer of an uplink, a refusal included. */
  uplinkAnswered(uplink: string): void {
    this.#uplinks.answered(uplink);
  }

  /** Notes that an uplink could not take a request: it is tried last for a minute. */
  uplinkFailed(uplink: string): void {
    this.#uplinks.failed(performance.now(), uplink);
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

  #url(purpose: Purpose): string {
    return `/v1/entry?room=${encodeURIComponent(this.room)}&purpose=${purpose}`;
  }

  /** Makes the next call ask entry again. */
  forget(): void {
    this.#freshUntil = 0;
    this.#openUntil = 0;
    this.#ticket = null;
  }

  /** Asks entry, or another source. Only the purpose `watch` may take a slot in the join queue. */
  async #ask(purpose: Purpose): Promise<void> {
    const found = await ask(this.room, purpose, this.origins);
    // Without an answer the known endpoints and the page's own origin remain.
    if (found === null) return;
    if ('answer' in found) this.#take(found.answer, purpose);
    else if (purpose === 'watch') refuse(found.refusal);
  }

  #take(entry: EntryAnswer, purpose: Purpose): void {
    this.#downlinks = readEndpoints(entry.downlinks);
    this.#uplinks.name(entry.uplinks.map((url) => new URL(url, location.href).origin));
    this.#racePlan = entry.race ?? null;
    this.backoff.limits(entry.backoff_base_ms, entry.backoff_max_ms);
    keeper().placed(entry.carrier, entry.region);
    this.#freshUntil = performance.now() + Math.max(entry.ttl_ms, TTL_MS_MIN);
    if (purpose === 'send') return;
    this.#openUntil = this.#freshUntil;
    this.#ticket = entry.ticket ? { token: entry.ticket.token, waitMs: entry.ticket.wait_ms } : null;
  }
}

/** Throws for a missing room and for a refusal with a time; any other leaves the known endpoints. */
function refuse({ code, message, retry_after_ms }: EntryRefusal): void {
  if (NO_ROOM.has(code)) throw new NoRoom(code, message);
  if (retry_after_ms !== undefined) throw new TurnedAway(retry_after_ms);
}

function refusalOf(body: unknown): Partial<EntryRefusal> {
  return (body as { error?: object } | null)?.error ?? {};
}

/** Reads endpoints; those of an unknown transport are left out. */
export function readEndpoints(endpoints: readonly { transport: string; url: string }[]): Endpoint[] {
  return endpoints.flatMap(({ transport, url }) => {
    const known = TRANSPORTS.find((one) => one === transport);
    if (!known) return [];
    return [{ transport: known, url: known === 'ws' ? socketUrl(url) : new URL(url, location.href).href }];
  });
}

function socketUrl(url: string): string {
  const parsed = new URL(url, location.href);
  if (parsed.protocol === 'http:') parsed.protocol = 'ws:';
  if (parsed.protocol === 'https:') parsed.protocol = 'wss:';
  return parsed.href;
}

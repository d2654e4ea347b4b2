// Asks entry for the room's gateways and uplinks, and for the time to connect. The first entry is always
// the last gateway, because one process may serve everything.

import { ask, type Purpose } from './asking.ts';
import { Backoff } from '../ladder/backoff.ts';
import type { Endpoint, Transport } from '../downlink/channel.ts';
import { Failure, isNoRoom } from '../failure.ts';
import type { Host } from '../host.ts';
import type { EntryAnswer, EntryRefusal } from './answer.ts';
import type { RacePlan } from './race.ts';

/** Least time for which an answer of entry is used. */
const TTL_MS_MIN = 5_000;

/** A slot in the join queue: wait, then connect once with the token. */
export interface Ticket {
  token: string;
  waitMs: number;
}

export class Entry {
  #downlinks: Endpoint[] = [];
  #uplinks: string[] = [];
  #race: RacePlan | null = null;
  #ticket: Ticket | null = null;
  #freshUntil = 0;
  /** Until when a connect may use the answer, in `performance.now()`. */
  #openUntil = 0;
  /** Backoff between attempts to connect, with the limits that entry gives. */
  readonly backoff = new Backoff(500, 30_000);

  /** Calls `placed` with the place where entry saw this client. */
  constructor(
    private readonly host: Host,
    private readonly room: string,
    private readonly placed: (carrier: unknown, region: unknown) => void = () => undefined,
  ) {}

  /**
   * Returns the endpoints in the order to try; the first entry is the last one. With a
   * ticket the caller waits, then connects with it. Rejects with a `Failure` when the servers are
   * full and gave no ticket, and when the room is missing or closed.
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

  /** Reads endpoints; those of an unknown transport are left out. */
  read(endpoints: readonly { transport: string; url: string }[]): Endpoint[] {
    return endpoints.flatMap(({ transport, url }) => {
      const known = this.host.transports.find((one) => one === transport);
      return known ? [{ transport: known, url: this.#url(known, url) }] : [];
    });
  }

  /** The endpoints of entry, then those of the first entry itself. */
  #known(): Endpoint[] {
    const own = this.host.transports.map((transport) => {
      return { transport, url: this.#url(transport, `/v1/rooms/${encodeURIComponent(this.room)}/${transport}`) };
    });
    const named = new Set(this.#downlinks.map((endpoint) => endpoint.url));
    return [...this.#downlinks, ...own.filter((endpoint) => !named.has(endpoint.url))];
  }

  #url(transport: Transport, url: string): string {
    const parsed = this.host.url(url);
    return transport === 'ws' ? parsed.href.replace(/^http/, 'ws') : parsed.href;
  }

  /**
   * Returns the base URLs to post to, in the order of entry. Only where entry names none, the first entry
   * takes posts.
   */
  async uplinks(): Promise<string[]> {
    if (performance.now() >= this.#freshUntil) await this.#ask('send');
    return this.#uplinks.length > 0 ? this.#uplinks : [this.host.origin];
  }

  /** How to measure the uplinks; null where entry does not ask for it. */
  get racePlan(): RacePlan | null {
    return this.#race;
  }

  /** Makes the next post ask entry again, because an uplink did not answer. */
  forgetUplinks(): void {
    this.#freshUntil = 0;
  }

  /** Makes the next call ask entry again. */
  forget(): void {
    this.#freshUntil = 0;
    this.#openUntil = 0;
    this.#ticket = null;
  }

  /** Asks entry, or another source. Only the purpose `watch` may take a slot in the join queue. */
  async #ask(purpose: Purpose): Promise<void> {
    const found = await ask(this.host, this.room, purpose);
    // Without an answer the known endpoints and the first entry remain.
    if (found === null) return;
    if ('answer' in found) {
      // A viewer with a ticket has its place at the first gateway.
      const answer = purpose === 'watch' && (found.answer.race?.width ?? 1) > 1 ? await this.#raced(found.answer) : found.answer;
      this.#take(answer, purpose);
      if (!found.isNew) return;
      // The storage is no part of the first connect.
      void this.host.later().then(({ keepAnswer }) => keepAnswer(this.host, found.answer, this.room, Date.now()), () => undefined);
    }
    if ('refusal' in found && purpose === 'watch') refuse(found.refusal);
  }

  /** Puts the gateway first that answers first. The answer stays as it is where the race cannot be loaded. */
  async #raced(answer: EntryAnswer): Promise<EntryAnswer> {
    try {
      return await (await import('./race.ts')).race(this.host, answer);
    } catch {
      return answer;
    }
  }

  #take(entry: EntryAnswer, purpose: Purpose): void {
    this.#downlinks = this.read(entry.downlinks);
    this.#uplinks = [...new Set(entry.uplinks.map((url) => this.host.url(url).origin))];
    this.#race = entry.race ?? null;
    this.backoff.limits(entry.backoff_base_ms, entry.backoff_max_ms);
    this.placed(entry.carrier, entry.region);
    this.#freshUntil = performance.now() + Math.max(entry.ttl_ms, TTL_MS_MIN);
    if (purpose === 'send') return;
    this.#openUntil = this.#freshUntil;
    this.#ticket = entry.ticket ? { token: entry.ticket.token, waitMs: entry.ticket.wait_ms } : null;
  }
}

/** Throws for a missing room and for a refusal with a time; any other leaves the known endpoints. */
function refuse({ code, message, retry_after_ms }: EntryRefusal): void {
  if (isNoRoom(code) || retry_after_ms !== undefined) throw new Failure(code, message, retry_after_ms);
}

// Keeps one viewer in one room: finds a gateway, resumes, repairs, moves when the server asks for it,
// climbs back to a better transport, and reconnects as the close code advises. Where reconnecting cannot help, the visit ends with a
// reason. For a room that is closed or missing, the page checks from time to time whether it is open.

import { Chain, type Step } from './chain.ts';
import { sleep } from './backoff.ts';
import { type Channel, type Endpoint } from './channel.ts';
import { type ConnectionEvents } from './connection_events.ts';
import { Dialer } from './dialer.ts';
import { type Entry, NoRoom, readEndpoints, TurnedAway } from './entry.ts';
import { onNetworkChange } from './facts.ts';
import { type Identity } from './identity.ts';
import { type Opening, type Outcome } from './opening.ts';
import {
  adviceOf,
  CLOSE_KICKED,
  CLOSE_PROTOCOL_MIN,
  CLOSE_ROOM_CLOSED,
  CLOSE_TOKEN_EXPIRED,
  CLOSE_UNAUTHORIZED,
  CLOSE_UNKNOWN_ROOM,
  CLOSE_WRONG_ROOM,
  type Batch,
  type Reconnect,
  type Refusal,
  type ServerFrame,
} from './protocol.ts';

/** Longest wait for the answer to a repair. After it the connection starts again and resumes. */
const REPAIR_WAIT_MS = 5_000;
/** A link that was open for this long resets the backoff. */
const STABLE_MS = 10_000;
/** Acknowledgements of notices wait this long for each other; one frame has at most `ACK_MAX`. */
const ACK_DELAY_MS = 200;
const ACK_MAX = 64;
/** Notices to remember, because the server repeats a notice until it is acknowledged. */
const NOTICED_MAX = 256;
/**
 * Wait before the page checks a closed or missing room: a random time between half of this and all
 * of it, so that the viewers of a large room do not ask at once. It doubles up to the maximum.
 */
const LOOK_MS = 20_000;
const LOOK_MS_MAX = 120_000;
/** The same for a missing room in which this page was before. */
const LOOK_AGAIN_MS = 2_000;
/** Longest kick after which the page returns by itself. */
const KICK_WAIT_MS_MAX = 24 * 3_600_000;

export class Connection {
  #chain = new Chain();
  #dialer: Dialer;
  #link: Channel | null = null;
  /** Attempts for a first channel; null while one is there. */
  #opening: Opening | null = null;
  /** Attempts beside the channel that carries. */
  #next: { kind: 'move' | 'probe'; opening: Opening } | null = null;
  #climbing: number | undefined;
  #retry: number | undefined;
  #move: number | undefined;
  #repairing: number | undefined;
  #acks: number[] = [];
  #noticed = new Set<number>();
  #refusal: Refusal | null = null;
  #asking = false;
  #ended: { code: string; lookMs: number } | null = null;
  #kickedUntilMs: number | null = null;

  constructor(
    private readonly identity: Identity,
    private readonly entry: Entry,
    private readonly events: ConnectionEvents,
  ) {
    this.#dialer = new Dialer(() => ({ token: identity.token, after: this.#chain.last }));
    addEventListener('online', () => this.#onAnotherNetwork());
    networkOf(navigator)?.addEventListener('change', () => this.#onAnotherNetwork());
    addEventListener('offline', () => this.#link?.probe());
    onNetworkChange(() => this.now());
    document.addEventListener('visibilitychange', () => {
      if (!document.hidden) this.now();
    });
  }

  start(): void {
    void this.#open();
  }

  /** Reconnects without waiting for a timer: the network is back, or the viewer asked for it. */
  now(): void {
    if (this.#ended) void this.#look();
    else if (this.#link) this.#link.probe();
    else void this.#open();
  }

  /** What the ladder knows of the transports is about the network before. */
  #onAnotherNetwork(): void {
    this.#dialer.networkChanged();
    this.now();
    this.#climbLater();
  }

  /** Notes until when a kick keeps this viewer out. */
  kickedUntil(untilMs: number): void {
    this.#kickedUntilMs = untilMs;
  }

  async #open(): Promise<void> {
    if (this.#asking || this.#opening || this.#link || this.#ended) return;
    this.#asking = true;
    clearTimeout(this.#retry);
    this.events.state({ kind: 'connecting' });
    try {
      await this.identity.ready();
      const endpoints = await this.#endpoints();
      this.#refusal = null;
      this.#opening = this.#dialer.open(endpoints, this.entry.backoff.attempt, this.#outcome);
    } catch (error) {
      if (error instanceof NoRoom) this.#end({ code: error.code, message: error.message });
      else this.#later(this.entry.backoff.next() + (error instanceof TurnedAway ? error.retryMs : 0));
    } finally {
      this.#asking = false;
    }
  }

  /** Returns the endpoints to connect to, after the wait for this viewer's slot. */
  async #endpoints(): Promise<Endpoint[]> {
    const { endpoints, ticket } = await this.entry.gateways();
    if (!ticket) return endpoints;
    // A viewer who moves to another server goes on watching meanwhile.
    if (!this.#link) this.events.state({ kind: 'queued', untilMs: Date.now() + ticket.waitMs });
    await sleep(ticket.waitMs);
    if (!this.#link) this.events.state({ kind: 'connecting' });
    return endpoints.map(({ transport, url }) => {
      const withTicket = new URL(url);
      withTicket.searchParams.set('ticket', ticket.token);
      return { transport, url: withTicket.href };
    });
  }

  #outcome: Outcome = {
    joined: (opening, channel, hello) => {
      if (opening !== this.#opening && opening !== this.#next?.opening) return channel.leave();
      this.#opening = null;
      this.#next = null;
      clearTimeout(this.#move);
      this.#link?.leave();
      this.#link = channel;
      this.events.state({ kind: 'open', transport: channel.transport });
      this.events.hello(hello);
      this.#follow(this.#chain.hello(hello));
      this.#climbLater();
    },
    failed: (opening, code, refusal) => {
      if (opening === this.#next?.opening) {
        // The channel that carries serves until the server closes it; then the page reconnects.
        this.#next = null;
        this.#climbLater();
      } else if (opening === this.#opening) {
        this.#opening = null;
        this.#refusal = refusal;
        this.entry.forget();
        this.#comeBack(code);
      }
    },
    frame: (channel, frame) => this.#read(channel, frame),
    closed: (channel, code) => this.#closed(channel, code),
  };

  #read(link: Channel, frame: ServerFrame): void {
    if (link !== this.#link) return;
    switch (frame.type) {
      case 'hello':
        break;
      case 'batch':
        this.#batch(frame);
        break;
      case 'notice':
        this.#acknowledge(frame.sequence);
        if (this.#isNews(frame.sequence)) this.events.notice(frame.body);
        break;
      case 'reconnect':
        this.#moveSoon(frame);
        break;
      case 'error':
        this.#refusal = frame;
        if (this.#chain.waiting && frame.retry_after_ms === undefined) this.#follow(this.#chain.skip());
        break;
      case 'pong':
        break;
    }
  }

  #batch(batch: Batch): void {
    if (batch.pulse) this.events.pulse(batch.pulse);
    if (batch.state) this.events.roomState(batch.state);
    this.#follow(this.#chain.accept(batch));
  }

  #follow(step: Step): void {
    if (step.messages.length > 0) this.events.messages(step.messages);
    if (step.leftOut > 0) this.events.leftOut(step.leftOut);
    if (step.gone) this.events.gone();
    if (step.overflow) return this.#link?.abandon();
    if (step.repair) this.#link?.send({ type: 'repair', ...step.repair });
    if (!this.#chain.waiting) {
      clearTimeout(this.#repairing);
      this.#repairing = undefined;
    } else if (this.#repairing === undefined || step.repair) {
      clearTimeout(this.#repairing);
      this.#repairing = setTimeout(() => this.#link?.abandon(), REPAIR_WAIT_MS);
    }
  }

  /** Returns false for a notice that came before, on this link or before a move. */
  #isNews(sequence: number): boolean {
    if (this.#noticed.has(sequence)) return false;
    this.#noticed.add(sequence);
    const [oldest] = this.#noticed;
    if (this.#noticed.size > NOTICED_MAX && oldest !== undefined) this.#noticed.delete(oldest);
    return true;
  }

  #acknowledge(sequence: number): void {
    if (this.#acks.length === 0) setTimeout(() => this.#sendAcks(), ACK_DELAY_MS);
    this.#acks.push(sequence);
    if (this.#acks.length >= ACK_MAX) this.#sendAcks();
  }

  #sendAcks(): void {
    if (this.#acks.length > 0) this.#link?.send({ type: 'ack', sequences: this.#acks });
    this.#acks = [];
  }

  /** Moves to another server: the old link serves until the new one has received its hello. */
  #moveSoon(reconnect: Reconnect): void {
    clearTimeout(this.#move);
    this.entry.forget();
    const named = readEndpoints(reconnect.endpoints ?? []);
    this.#move = setTimeout(() => {
      const endpoints = named.length > 0 ? Promise.resolve(named) : this.#endpoints();
      // Without an endpoint this link serves until the server closes it; then the page reconnects.
      endpoints.then(
        (list) => {
          if (!this.#link || this.#next?.kind === 'move' || this.#ended) return;
          this.#next?.opening.cancel();
          this.#next = { kind: 'move', opening: this.#dialer.open(list, 0, this.#outcome) };
        },
        (error: unknown) => {
          // The room is gone: the close that follows gives the reason.
          if (error instanceof NoRoom) this.entry.forget();
        },
      );
    }, reconnect.after_ms);
  }

  /** Plans the next attempt on a better transport, as the ladder says. */
  #climbLater(): void {
    clearTimeout(this.#climbing);
    const inMs = this.#link && !this.#next ? this.#dialer.probeInMs : null;
    if (inMs !== null) this.#climbing = setTimeout(() => void this.#climb(), inMs);
  }

  async #climb(): Promise<void> {
    const endpoints = await this.entry.others();
    if (!this.#link || this.#next) return;
    const opening = this.#dialer.probe(endpoints, this.#outcome);
    if (opening) this.#next = { kind: 'probe', opening };
  }

  #closed(link: Channel, code: number): void {
    if (link !== this.#link) return;
    this.#link = null;
    const next = this.#next;
    this.#next = null;
    const isToldBefore = code >= CLOSE_PROTOCOL_MIN || next?.kind === 'move';
    this.#dialer.ended(isToldBefore ? 'closed' : 'lost');
    clearTimeout(this.#move);
    clearTimeout(this.#climbing);
    clearTimeout(this.#repairing);
    this.#repairing = undefined;
    if (link.joinedAt !== null && performance.now() - link.joinedAt > STABLE_MS) this.entry.backoff.reset();
    if (next?.kind === 'move') {
      // A move is in progress: its attempts are the only ones now.
      this.#opening = next.opening;
      this.events.state({ kind: 'connecting' });
      return;
    }
    next?.opening.cancel();
    this.#comeBack(code);
  }

  #comeBack(code: number): void {
    const guestElsewhere = code === CLOSE_WRONG_ROOM && this.identity.kind === 'guest';
    const tokenRefused = code === CLOSE_UNAUTHORIZED || code === CLOSE_TOKEN_EXPIRED || guestElsewhere;
    const first = this.entry.backoff.attempt === 0;
    const delay = this.entry.backoff.next();
    const refusal = this.#refusal ?? { code: END_CODES.get(code) ?? '', message: String(code) };
    switch (adviceOf(code)) {
      case 'never':
        if (tokenRefused) void this.#renew(refusal, first ? 0 : delay);
        else this.#end(refusal);
        break;
      case 'now':
      case 'named':
        this.#later(first ? 0 : delay);
        break;
      case 'backoff':
        this.#later(delay + (this.#refusal?.retry_after_ms ?? 0));
        break;
    }
  }

  async #renew(refusal: Refusal, delay: number): Promise<void> {
    try {
      if (await this.identity.renew()) this.#later(delay);
      else this.#end(refusal);
    } catch {
      this.#later(this.entry.backoff.next());
    }
  }

  #later(delay: number): void {
    this.events.state({ kind: 'waiting', untilMs: Date.now() + delay });
    clearTimeout(this.#retry);
    this.#retry = setTimeout(() => void this.#open(), delay);
  }

  /** Ends the visit with a reason, and schedules checks where the reason may pass. */
  #end(refusal: Refusal): void {
    // A gateway that has just started may not have heard of the room yet.
    const wasThere = refusal.code === 'unknown_room' && this.#chain.last !== null;
    this.#ended = { code: refusal.code, lookMs: wasThere ? LOOK_AGAIN_MS : LOOK_MS };
    this.entry.forget();
    clearTimeout(this.#retry);
    if (refusal.code === 'kicked') {
      const untilMs = this.#kickedUntilMs;
      const leftMs = (untilMs ?? Infinity) - Date.now();
      if (untilMs === null || leftMs > KICK_WAIT_MS_MAX) return this.events.state({ kind: 'ended', refusal });
      this.#retry = setTimeout(() => void this.#look(), Math.max(leftMs, 0) + this.entry.backoff.next());
      return this.events.state({ kind: 'ended', refusal, untilMs });
    }
    this.events.state({ kind: 'ended', refusal });
    this.#lookLater();
  }

  #lookLater(): void {
    if (!this.#ended || !LOOKED_FOR.has(this.#ended.code)) return;
    const { lookMs } = this.#ended;
    this.#ended.lookMs = Math.min(lookMs * 2, LOOK_MS_MAX);
    clearTimeout(this.#retry);
    this.#retry = setTimeout(() => void this.#look(), lookMs * (0.5 + Math.random() / 2));
  }

  /** Reconnects if the reason for the end has passed. */
  async #look(): Promise<void> {
    if (!this.#ended || this.#asking) return;
    const { code } = this.#ended;
    const kickOver = code === 'kicked' && this.#kickedUntilMs !== null && this.#kickedUntilMs <= Date.now();
    if (!kickOver && !LOOKED_FOR.has(code)) return;
    if (!kickOver && !(await this.entry.roomIsOpen())) return this.#lookLater();
    if (!this.#ended) return;
    this.#ended = null;
    this.#kickedUntilMs = null;
    await this.#open();
  }
}

/** Returns the object that reports changes of the network, in browsers that have it. */
function networkOf(navigator: Navigator): EventTarget | null {
  return (navigator as { connection?: EventTarget }).connection ?? null;
}

/** Reasons for which entry can answer whether they have passed. */
const LOOKED_FOR: ReadonlySet<string> = new Set(['unknown_room', 'room_closed']);
/** Refusal codes for close codes that come without an `error` frame. */
const END_CODES: ReadonlyMap<number, string> = new Map([
  [CLOSE_UNAUTHORIZED, 'unauthorized'],
  [CLOSE_TOKEN_EXPIRED, 'token_expired'],
  [CLOSE_WRONG_ROOM, 'wrong_room'],
  [CLOSE_UNKNOWN_ROOM, 'unknown_room'],
  [CLOSE_ROOM_CLOSED, 'room_closed'],
  [CLOSE_KICKED, 'kicked'],
]);

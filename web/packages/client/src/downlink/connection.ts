// Keeps one viewer in one room: finds a gateway, resumes, repairs, moves when the server asks for it,
// climbs back to a better transport, and reconnects as the close code advises. Where reconnecting cannot
// help, the visit ends with a reason. A closed or missing room is checked from time to time.

import { Chain, type Step } from '../protocol/chain.ts';
import { type Channel, type Endpoint } from './channel.ts';
import { type ConnectionEvents, type Reason, type Where } from './connection_events.ts';
import { Dialer } from './dialer.ts';
import { type Credentials, TokenFailed, tokenRefusal } from '../credentials.ts';
import { type Entry, NoRoom, TurnedAway } from '../entry/entry.ts';
import { networkType } from '../facts.ts';
import { type Keeper } from '../heartbeat/keeper.ts';
import { type Host } from '../host.ts';
import { type Opening, type Outcome } from './opening.ts';
import {
  adviceOf,
  CLOSE_ABNORMAL,
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
} from '../protocol/frames.ts';

/** Longest wait for the answer to a repair. After it the connection starts again and resumes. */
const REPAIR_WAIT_MS = 5_000;
/** A link that was open for this long resets the backoff. */
const STABLE_MS = 10_000;
/** Longest wait before a move, whatever a server asks for. */
const MOVE_WAIT_MS_MAX = 120_000;
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
  #acking: number | undefined;
  #network: string;
  #isClosed = false;

  constructor(
    private readonly host: Host,
    private readonly credentials: Credentials,
    private readonly entry: Entry,
    keeper: Keeper,
    private readonly events: ConnectionEvents,
  ) {
    this.#network = networkType(host);
    this.#dialer = new Dialer(host, keeper, () => ({ token: credentials.token, after: this.#chain.last }));
    host.watch({
      online: () => this.#onAnotherNetwork(),
      offline: () => this.#link?.probe(),
      changed: () => this.#onEstimate(),
      shown: () => {
        if (!host.hidden) this.now();
      },
    });
  }

  start(): void {
    void this.#open({ code: 'start', message: '' });
  }

  /** Reconnects without waiting for a timer: the network is back, or the viewer asked for it. */
  now(): void {
    if (this.#isClosed) return;
    if (this.#ended) void this.#look();
    else if (this.#link) this.#link.probe();
    else void this.#open({ code: 'asked', message: '' });
  }

  /** Does what `now` does, and asks for another token where the last ones were refused. */
  retry(): void {
    if (!this.#ended || !REFUSED_TOKENS.has(this.#ended.code)) return this.now();
    this.#ended = null;
    this.credentials.forgive();
    void this.#open({ code: 'asked', message: '' });
  }

  /** Leaves the room for good: nothing is called back afterwards. */
  close(): void {
    this.#isClosed = true;
    this.#ended = null;
    for (const timer of [this.#climbing, this.#retry, this.#move, this.#repairing, this.#acking]) clearTimeout(timer);
    this.#opening?.cancel();
    this.#next?.opening.cancel();
    this.#link?.leave();
    this.#opening = this.#next = this.#link = null;
  }

  /** The event also comes with every new estimate of the bandwidth. */
  #onEstimate(): void {
    const before = this.#network;
    this.#network = networkType(this.host);
    if (this.#network !== before) this.#onAnotherNetwork();
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

  #state(where: Where, reason: Reason): void {
    if (!this.#isClosed) this.events.state({ ...where, sinceMs: Date.now(), reason });
  }

  async #open(reason: Reason): Promise<void> {
    if (this.#asking || this.#opening || this.#link || this.#ended || this.#isClosed) return;
    this.#asking = true;
    clearTimeout(this.#retry);
    this.#state({ kind: 'connecting' }, reason);
    try {
      const endpoints = await this.#endpoints(reason);
      await this.credentials.fetch();
      if (this.#isClosed) return;
      if (this.credentials.isRefused) return this.#end(this.#refusal ?? { code: 'unauthorized', message: 'the token was refused' });
      this.#refusal = null;
      this.#opening = this.#dialer.open(endpoints, this.entry.backoff.attempt, this.#outcome);
    } catch (error) {
      if (this.#isClosed) return;
      if (error instanceof NoRoom) this.#end({ code: error.code, message: error.message });
      else if (error instanceof TurnedAway) this.#later(this.entry.backoff.next() + error.retryMs, { code: 'overloaded', message: error.message });
      else if (error instanceof TokenFailed) this.#later(this.entry.backoff.next(), tokenRefusal(error));
      else this.#later(this.entry.backoff.next(), { code: 'network', message: String(error) });
    } finally {
      this.#asking = false;
    }
  }

  /** Returns the endpoints to connect to, after the wait for this viewer's slot. */
  async #endpoints(reason: Reason): Promise<Endpoint[]> {
    const { endpoints, ticket } = await this.entry.gateways();
    if (!ticket) return endpoints;
    // A viewer who moves to another server goes on watching meanwhile.
    if (!this.#link) this.#state({ kind: 'queued', untilMs: Date.now() + ticket.waitMs }, { code: 'overloaded', message: 'the servers are full' });
    await this.host.sleep(ticket.waitMs);
    if (!this.#link) this.#state({ kind: 'connecting' }, reason);
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
      this.credentials.accepted(hello.user);
      this.#state({ kind: 'open', transport: channel.transport }, { code: 'joined', message: '' });
      this.events.hello(hello);
      this.#follow(this.#chain.hello(hello));
      this.#climbLater();
    },
    failed: (opening, code, refusal) => {
      if (opening === this.#next?.opening) {
        // The channel that carries serves until the server closes it; then the page reconnects.
        const { kind } = this.#next;
        this.#next = null;
        if (kind === 'move' && this.#link) this.#state({ kind: 'open', transport: this.#link.transport }, { code: 'network', message: 'the move failed' });
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
        if (this.#isNews(frame.sequence)) this.events.notice(frame.sequence, frame.body);
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
    if (step.leftOut > 0) this.events.lost('left_out', step.leftOut);
    if (step.skipped > 0) this.events.lost('skipped', step.skipped);
    if (step.gone) this.events.lost('gone', 0);
    if (this.#isClosed) return;
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
    if (this.#acks.length === 0) this.#acking = setTimeout(() => this.#sendAcks(), ACK_DELAY_MS);
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
    const named = this.entry.read(reconnect.endpoints ?? []);
    this.#move = setTimeout(() => void this.#moveTo(named, reconnect.message), Math.min(Math.max(reconnect.after_ms, 0), MOVE_WAIT_MS_MAX));
  }

  async #moveTo(named: Endpoint[], message: string): Promise<void> {
    const reason = { code: 'drain', message };
    try {
      // Without an endpoint this link serves until the server closes it; then the client reconnects.
      const endpoints = named.length > 0 ? named : await this.#endpoints(reason);
      // The token in use may still be good where the caller's function has none now.
      await this.credentials.fetch().catch(() => undefined);
      if (!this.#link || this.#next?.kind === 'move' || this.#ended) return;
      this.#next?.opening.cancel();
      this.#state({ kind: 'moving', transport: this.#link.transport }, reason);
      this.#next = { kind: 'move', opening: this.#dialer.open(endpoints, 0, this.#outcome) };
    } catch (error) {
      // The room is gone: the close that follows gives the reason.
      if (error instanceof NoRoom) this.entry.forget();
    }
  }

  /** Plans the next attempt on a better transport, as the ladder says. */
  #climbLater(): void {
    clearTimeout(this.#climbing);
    const inMs = this.#link && !this.#next ? this.#dialer.probeInMs : null;
    if (inMs !== null) this.#climbing = setTimeout(() => void this.#climb(), inMs);
  }

  async #climb(): Promise<void> {
    const endpoints = await this.entry.others();
    await this.credentials.fetch().catch(() => undefined);
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
      return this.#state({ kind: 'connecting' }, { code: 'drain', message: '' });
    }
    next?.opening.cancel();
    this.#comeBack(code);
  }

  #comeBack(code: number): void {
    const guestElsewhere = code === CLOSE_WRONG_ROOM && this.credentials.kind === 'guest';
    const tokenRefused = code === CLOSE_UNAUTHORIZED || code === CLOSE_TOKEN_EXPIRED || guestElsewhere;
    const first = this.entry.backoff.attempt === 0;
    const delay = this.entry.backoff.next();
    const lost = code === CLOSE_ABNORMAL ? 'lost' : String(code);
    const refusal = this.#refusal ?? { code: END_CODES.get(code) ?? lost, message: String(code) };
    switch (adviceOf(code)) {
      case 'never':
        // The next connect asks for another token.
        this.#refusal = refusal;
        if (tokenRefused && this.credentials.refused()) this.#later(first ? 0 : delay, refusal);
        else this.#end(refusal);
        break;
      case 'now':
      case 'named':
        this.#later(first ? 0 : delay, refusal);
        break;
      case 'backoff':
        this.#later(delay + (this.#refusal?.retry_after_ms ?? 0), refusal);
        break;
    }
  }

  #later(delay: number, { code, message }: Reason): void {
    this.#state({ kind: 'waiting', untilMs: Date.now() + delay }, { code, message });
    clearTimeout(this.#retry);
    if (!this.#isClosed) this.#retry = setTimeout(() => void this.#open({ code, message }), delay);
  }

  /** Ends the visit with a reason, and schedules checks where the reason may pass. */
  #end({ code, message }: Refusal): void {
    // A gateway that has just started may not have heard of the room yet.
    const wasThere = code === 'unknown_room' && this.#chain.last !== null;
    this.#ended = { code, lookMs: wasThere ? LOOK_AGAIN_MS : LOOK_MS };
    this.entry.forget();
    clearTimeout(this.#retry);
    const ended = { kind: 'ended', code, message } as const;
    if (code !== 'kicked') {
      this.#state(ended, { code, message });
      return this.#lookLater();
    }
    const untilMs = this.#kickedUntilMs;
    const leftMs = (untilMs ?? Infinity) - Date.now();
    if (untilMs === null || leftMs > KICK_WAIT_MS_MAX) return this.#state(ended, { code, message });
    this.#retry = setTimeout(() => void this.#look(), Math.max(leftMs, 0) + this.entry.backoff.next());
    this.#state({ ...ended, untilMs }, { code, message });
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
    if (!this.#ended || this.#asking || this.#isClosed) return;
    const { code } = this.#ended;
    const kickOver = code === 'kicked' && this.#kickedUntilMs !== null && this.#kickedUntilMs <= Date.now();
    if (!kickOver && !LOOKED_FOR.has(code)) return;
    if (!kickOver && !(await this.entry.roomIsOpen())) return this.#lookLater();
    if (!this.#ended) return;
    this.#ended = null;
    this.#kickedUntilMs = null;
    await this.#open({ code: 'asked', message: '' });
  }
}

/** Reasons that another token may take away. */
const REFUSED_TOKENS: ReadonlySet<string> = new Set(['unauthorized', 'token_expired', 'wrong_room']);
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

// Keeps one viewer in one room: finds a gateway, resumes, repairs, moves when the server asks for it,
// climbs back to a better transport, and reconnects as the close code advises. Where reconnecting cannot
// help, the visit ends with a reason. A closed or missing room is checked from time to time.

import type { Absence } from './absence.ts';
import type { Channel, Endpoint } from './channel.ts';
import type { Reason, State, Where } from './states.ts';
import type { Credentials } from '../credentials.ts';
import { Dialer } from './dialer.ts';
import type { Entry } from '../entry/entry.ts';
import { networkType } from '../facts.ts';
import { failureOf, isNoRoom } from '../failure.ts';
import type { Hands, Next } from './hands.ts';
import type { Heart } from '../heartbeat/heart.ts';
import type { Host } from '../host.ts';
import type * as Later from '../later.ts';
import type { Moves } from './moves.ts';
import type { Opening, Outcome } from './opening.ts';
import type { Inbox } from '../inbox.ts';
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
  type ClientFrame,
  type Refusal,
  type ServerFrame,
} from '../protocol/frames.ts';

/** A link that was open for this long resets the backoff. */
const STABLE_MS = 10_000;
/** Frames that wait for the part of the client that reads them. With more than this the link starts again. */
const UNREAD_MAX = 1_024;

/** What a connection calls. */
export interface ConnectionEvents {
  state(state: State): void;
  /** Returns what takes the frames. */
  inbox(later: typeof Later): Inbox;
}

export class Connection {
  #inbox: Inbox | null = null;
  /** Frames that came before the inbox was loaded. */
  #unread: ServerFrame[] = [];
  #dialer: Dialer;
  #link: Channel | null = null;
  /** Attempts for a first channel; null while one is there. */
  #opening: Opening | null = null;
  /** Attempt beside the channel that carries. */
  #next: Next | null = null;
  #retry: number | undefined;
  #refusal: Refusal | null = null;
  #asking = false;
  /** Reason for which the visit has ended; null while it has not. */
  #ended: Refusal | null = null;
  #absence: Absence | null = null;
  #kickedUntilMs: number | null = null;
  #network: string;
  #moves: Moves | null = null;

  constructor(
    private readonly host: Host,
    private readonly credentials: Credentials,
    private readonly entry: Entry,
    private readonly room: string,
    heart: Heart,
    private readonly events: ConnectionEvents,
  ) {
    this.#network = networkType(host);
    this.#dialer = new Dialer(host, heart, () => ({ token: credentials.token, after: this.#inbox?.last ?? null }));
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
    if (this.#ended) void this.#absence?.look();
    else if (this.#link) this.#link.probe();
    else void this.#open({ code: 'asked', message: '' });
  }

  /** Does what `now` does, and asks for another token where the last ones were refused. */
  retry(): void {
    if (!REFUSED_TOKENS.includes(this.#ended?.code ?? '')) return this.now();
    this.credentials.forgive();
    this.#return();
  }

  /** Leaves the room for good: nothing is called back afterwards. The host is closed before. */
  close(): void {
    clearTimeout(this.#retry);
    this.#absence?.stop();
    this.#moves?.stop();
    this.#inbox?.close();
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
    this.#moves?.climbLater();
  }

  /** Sends a frame on the channel that carries; a frame without one is dropped. */
  send(frame: ClientFrame): void {
    this.#link?.send(frame);
  }

  /** Starts the connection again. */
  abandon(): void {
    this.#link?.abandon();
  }

  /** Notes until when a kick keeps this viewer out. */
  kickedUntil(untilMs: number): void {
    this.#kickedUntilMs = untilMs;
  }

  /** What the parts that are loaded later see of this connection. */
  get #hands(): Hands {
    const connection = this;
    const { host, room, credentials, entry } = this;
    return {
      host,
      room,
      credentials,
      entry,
      dialer: this.#dialer,
      outcome: this.#outcome,
      get link() {
        return connection.#link;
      },
      get next() {
        return connection.#next;
      },
      set next(next: Next | null) {
        connection.#next = next;
      },
      state: (where, reason) => this.#state(where, reason),
      endpoints: (reason) => this.#endpoints(reason),
      comeBack: () => this.#return(),
    };
  }

  #state(where: Where, reason: Reason): void {
    if (!this.host.closed) this.events.state({ ...where, sinceMs: Date.now(), reason });
  }

  async #open(reason: Reason): Promise<void> {
    if (this.#asking || this.#opening || this.#link || this.#ended || this.host.closed) return;
    this.#asking = true;
    clearTimeout(this.#retry);
    this.#state({ kind: 'connecting' }, reason);
    try {
      const endpoints = await this.#endpoints(reason);
      await this.credentials.fetch();
      if (this.host.closed) return;
      if (this.credentials.isRefused) return this.#end(this.#refusal ?? { code: 'unauthorized', message: '' });
      this.#refusal = null;
      this.#opening = this.#dialer.open(endpoints, this.entry.backoff.attempt, this.#outcome);
    } catch (error) {
      const failure = failureOf(error);
      if (isNoRoom(failure.code)) this.#end(failure);
      else this.#later(this.entry.backoff.next() + failure.retryMs, failure);
    } finally {
      this.#asking = false;
    }
  }

  /** Returns the endpoints to connect to, after the wait for this viewer's slot. */
  async #endpoints(reason: Reason): Promise<Endpoint[]> {
    const { endpoints, ticket } = await this.entry.gateways();
    if (!ticket) return endpoints;
    // A viewer who moves to another server goes on watching meanwhile.
    if (!this.#link) this.#state({ kind: 'queued', untilMs: Date.now() + ticket.waitMs }, { code: 'overloaded', message: '' });
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
      this.#moves?.stop();
      this.#link?.leave();
      this.#link = channel;
      this.credentials.accepted(hello.user);
      this.#state({ kind: 'open', transport: channel.transport }, { code: 'joined', message: '' });
      this.#pass(hello);
      void this.#care(({ moves }) => moves.climbLater());
    },
    failed: (opening, code, refusal) => {
      if (opening === this.#next?.opening) {
        // The channel that carries serves until the server closes it; then the page reconnects.
        const { kind } = this.#next;
        this.#next = null;
        if (kind === 'move' && this.#link) this.#state({ kind: 'open', transport: this.#link.transport }, { code: 'network', message: 'the move failed' });
        this.#moves?.climbLater();
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
    if (frame.type === 'error') this.#refusal = frame;
    if (frame.type === 'reconnect') void this.#care(({ moves }) => moves.soon(frame));
    else this.#pass(frame);
  }

  /** Passes a frame on, in order. */
  #pass(frame: ServerFrame): void {
    if (this.#inbox) return this.#inbox.take(frame);
    this.#unread.push(frame);
    if (this.#unread.length > UNREAD_MAX) this.#link?.abandon();
    else void this.#care(() => undefined);
  }

  /** Calls back with the parts that are loaded later: at once where they are there. */
  async #care(act: (care: { moves: Moves; later: typeof Later }) => void): Promise<void> {
    try {
      const later = await this.host.later();
      if (this.host.closed) return;
      this.#moves ??= new later.Moves(this.#hands);
      this.#inbox ??= this.events.inbox(later);
      for (const frame of this.#unread.splice(0)) this.#inbox.take(frame);
      act({ moves: this.#moves, later });
    } catch {
      // The room was closed before they were there.
    }
  }

  #closed(link: Channel, code: number): void {
    if (link !== this.#link) return;
    this.#link = null;
    const next = this.#next;
    this.#next = null;
    const isToldBefore = code >= CLOSE_PROTOCOL_MIN || next?.kind === 'move';
    this.#dialer.ended(isToldBefore ? 'closed' : 'lost');
    this.#moves?.stop();
    this.#inbox?.lost();
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
    const refusal = this.#refusal ?? { code: END_CODES[code] ?? lost, message: String(code) };
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
    if (!this.host.closed) this.#retry = setTimeout(() => void this.#open({ code, message }), delay);
  }

  /** Ends the visit with a reason. Where the reason may pass, the client checks it, or comes back at its end. */
  #end({ code, message }: Refusal): void {
    const refusal = { code, message };
    this.#ended = refusal;
    this.entry.forget();
    clearTimeout(this.#retry);
    const untilMs = code === 'kicked' ? this.#kickedUntilMs : null;
    this.#state({ kind: 'ended', ...refusal, ...(untilMs === null || untilMs === Infinity ? {} : { untilMs }) }, refusal);
    void this.#care(({ later }) => {
      if (this.#ended !== refusal) return;
      this.#absence = new later.Absence(this.#hands, refusal, this.#inbox?.last != null, untilMs);
      this.#absence.begin();
    });
  }

  /** Connects again behind the end of the visit. */
  #return(): void {
    this.#absence?.stop();
    this.#ended = this.#absence = this.#kickedUntilMs = null;
    void this.#open({ code: 'asked', message: '' });
  }
}

/** Reasons that another token may take away. */
const REFUSED_TOKENS = ['unauthorized', 'token_expired', 'wrong_room'];
/** Refusal codes for close codes that come without an `error` frame. */
const END_CODES: Readonly<Record<number, string>> = {
  [CLOSE_UNAUTHORIZED]: 'unauthorized',
  [CLOSE_TOKEN_EXPIRED]: 'token_expired',
  [CLOSE_WRONG_ROOM]: 'wrong_room',
  [CLOSE_UNKNOWN_ROOM]: 'unknown_room',
  [CLOSE_ROOM_CLOSED]: 'room_closed',
  [CLOSE_KICKED]: 'kicked',
};

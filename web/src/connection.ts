// Keeps one viewer in one room: finds a gateway, resumes, repairs, moves when
// asked to, and comes back as the close code advises. Where coming back is no use, it ends with
// the reason; a room that was closed or is missing is looked for from time to time.

import { Chain, type Step } from './chain.ts';
import { sleep } from './backoff.ts';
import { type Entry, NoRoom, TurnedAway } from './entry.ts';
import { type Identity } from './identity.ts';
import { Link } from './link.ts';
import {
  adviceOf,
  CLOSE_KICKED,
  CLOSE_ROOM_CLOSED,
  CLOSE_TOKEN_EXPIRED,
  CLOSE_UNAUTHORIZED,
  CLOSE_UNKNOWN_ROOM,
  CLOSE_WRONG_ROOM,
  type Batch,
  type BatchMessage,
  type Hello,
  type Pulse,
  type Reconnect,
  type Refusal,
  type ServerFrame,
} from './protocol.ts';

/** A repair that is not answered within this is given up; the link starts anew and resumes. */
const REPAIR_WAIT_MS = 5_000;
/** A link that lived this long was a good one: the backoff starts over. */
const STABLE_MS = 10_000;
/** Acknowledgements of notices travel together, at most this many in one frame. */
const ACK_DELAY_MS = 200;
const ACK_MAX = 64;
/** Notices remembered: the server repeats one until its acknowledgement comes. The oldest is forgotten. */
const NOTICED_MAX = 256;
/**
 * A room that is closed or missing is looked for after a random time between half of this and all
 * of it, which doubles up to the longest: a large audience must not ask all at once.
 */
const LOOK_MS = 20_000;
const LOOK_MS_MAX = 120_000;
/** The same for a missing room that this page was in. */
const LOOK_AGAIN_MS = 2_000;
/** A kick that ends within this is waited out; after a longer one the page stays away. */
const KICK_WAIT_MS_MAX = 24 * 3_600_000;

export type State =
  | { kind: 'connecting' }
  | { kind: 'open' }
  | { kind: 'waiting'; untilMs: number }
  /** More want in than the servers admit; this viewer's turn comes then. */
  | { kind: 'queued'; untilMs: number }
  /** `untilMs`: the page comes back by itself then. */
  | { kind: 'ended'; refusal: Refusal; untilMs?: number };

export interface ConnectionEvents {
  state(state: State): void;
  hello(hello: Hello): void;
  messages(messages: BatchMessage[]): void;
  pulse(pulse: Pulse): void;
  leftOut(count: number): void;
  gone(): void;
  notice(body: unknown): void;
}

export class Connection {
  #chain = new Chain();
  #link: Link | null = null;
  #next: Link | null = null;
  #retry: number | undefined;
  #move: number | undefined;
  #repairing: number | undefined;
  #acks: number[] = [];
  #noticed = new Set<number>();
  #refusal: Refusal | null = null;
  #opening = false;
  #ended: { code: string; lookMs: number } | null = null;
  #kickedUntilMs: number | null = null;

  constructor(
    private readonly identity: Identity,
    private readonly entry: Entry,
    private readonly events: ConnectionEvents,
  ) {
    addEventListener('online', () => this.now());
    addEventListener('offline', () => this.#link?.probe());
    document.addEventListener('visibilitychange', () => {
      if (!document.hidden) this.now();
    });
  }

  start(): void {
    void this.#open();
  }

  /** The network is back, or the viewer asks for it: do not wait for a timer. */
  now(): void {
    if (this.#ended) void this.#look();
    else if (this.#link) this.#link.probe();
    else void this.#open();
  }

  /** A signal said that this viewer is kept out until then. */
  kickedUntil(untilMs: number): void {
    this.#kickedUntilMs = untilMs;
  }

  async #open(): Promise<void> {
    if (this.#opening || this.#link || this.#ended) return;
    this.#opening = true;
    clearTimeout(this.#retry);
    this.events.state({ kind: 'connecting' });
    try {
      await this.identity.ready();
      this.#link = this.#dial(await this.#endpoint());
    } catch (error) {
      if (error instanceof NoRoom) this.#end({ code: error.code, message: error.message });
      else this.#later(this.entry.backoff.next() + (error instanceof TurnedAway ? error.retryMs : 0));
    } finally {
      this.#opening = false;
    }
  }

  /** Where to connect, once this viewer's turn has come. */
  async #endpoint(): Promise<string> {
    const { urls, ticket } = await this.entry.way();
    const url = new URL(urls[this.entry.backoff.attempt % urls.length] ?? location.href);
    if (ticket) {
      // Who moves from one server to another watches on meanwhile.
      if (!this.#link) this.events.state({ kind: 'queued', untilMs: Date.now() + ticket.waitMs });
      await sleep(ticket.waitMs);
      if (!this.#link) this.events.state({ kind: 'connecting' });
      url.searchParams.set('ticket', ticket.token);
    }
    return url.href;
  }

  #dial(url: string): Link {
    this.#refusal = null;
    return new Link(
      url,
      { token: this.identity.token, after: this.#chain.last },
      { frame: (link, frame) => this.#read(link, frame), closed: (link, code) => this.#closed(link, code) },
    );
  }

  #read(link: Link, frame: ServerFrame): void {
    if (link === this.#next && frame.type === 'hello') {
      this.#link?.leave();
      this.#link = link;
      this.#next = null;
    }
    if (link !== this.#link) return;
    switch (frame.type) {
      case 'hello':
        this.events.state({ kind: 'open' });
        this.events.hello(frame);
        this.#follow(this.#chain.hello(frame));
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

  /** False for a notice that came before, on this link or on one before a move. */
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

  /** Make before break: the old link serves until the new one has said hello. */
  #moveSoon(reconnect: Reconnect): void {
    clearTimeout(this.#move);
    this.entry.forget();
    const named = reconnect.endpoints?.find((endpoint) => endpoint.transport === 'ws')?.url;
    this.#move = setTimeout(() => {
      const way = named ? Promise.resolve(named) : this.#endpoint();
      // Without a way this link serves until it is closed, and then the page comes back.
      way.then(
        (url) => {
          if (!this.#link || this.#next || this.#ended) return;
          this.#next = this.#dial(url);
        },
        (error: unknown) => {
          // There is no room to move to: the close that follows says so as well.
          if (error instanceof NoRoom) this.entry.forget();
        },
      );
    }, reconnect.after_ms);
  }

  #closed(link: Link, code: number): void {
    if (link === this.#next) {
      this.#next = null;
      return;
    }
    if (link !== this.#link) return;
    this.#link = null;
    clearTimeout(this.#move);
    clearTimeout(this.#repairing);
    this.#repairing = undefined;
    if (link.joinedAt === null) this.entry.forget();
    else if (performance.now() - link.joinedAt > STABLE_MS) this.entry.backoff.reset();
    if (this.#next) {
      // The move is under way: what was to be the next link is the only one now.
      this.#link = this.#next;
      this.#next = null;
      this.events.state({ kind: 'connecting' });
      return;
    }
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

  /** Coming back is no use now. Where that may change, the page finds out. */
  #end(refusal: Refusal): void {
    // A gateway that has just begun may not have heard of the room yet.
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

  /** Goes back in when the reason of the end may be over. */
  async #look(): Promise<void> {
    if (!this.#ended || this.#opening) return;
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

/** Reasons that entry can tell the end of. */
const LOOKED_FOR: ReadonlySet<string> = new Set(['unknown_room', 'room_closed']);
/** The codes of closes that come without an `error` frame before them. */
const END_CODES: ReadonlyMap<number, string> = new Map([
  [CLOSE_UNAUTHORIZED, 'unauthorized'],
  [CLOSE_TOKEN_EXPIRED, 'token_expired'],
  [CLOSE_WRONG_ROOM, 'wrong_room'],
  [CLOSE_UNKNOWN_ROOM, 'unknown_room'],
  [CLOSE_ROOM_CLOSED, 'room_closed'],
  [CLOSE_KICKED, 'kicked'],
]);

// Keeps one viewer in one room: finds a gateway, resumes, repairs, moves when
// asked to, and comes back as the close code advises.

import { Chain, type Step } from './chain.ts';
import { sleep } from './backoff.ts';
import { type Entry, TurnedAway } from './entry.ts';
import { type Identity } from './identity.ts';
import { Link } from './link.ts';
import {
  adviceOf,
  CLOSE_TOKEN_EXPIRED,
  CLOSE_UNAUTHORIZED,
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

export type State =
  | { kind: 'connecting' }
  | { kind: 'open' }
  | { kind: 'waiting'; untilMs: number }
  /** More want in than the servers admit; this viewer's turn comes then. */
  | { kind: 'queued'; untilMs: number }
  | { kind: 'ended'; code: number; refusal: Refusal | null };

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
  #refusal: Refusal | null = null;
  #opening = false;
  #ended = false;

  constructor(
    private readonly identity: Identity,
    private readonly entry: Entry,
    private readonly events: ConnectionEvents,
  ) {
    addEventListener('online', () => this.#hurry());
    addEventListener('offline', () => this.#link?.probe());
    document.addEventListener('visibilitychange', () => {
      if (!document.hidden) this.#hurry();
    });
  }

  start(): void {
    void this.#open();
  }

  /** The network or the person is back: do not wait for a timer. */
  #hurry(): void {
    if (this.#ended) return;
    if (this.#link) this.#link.probe();
    else void this.#open();
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
      this.#later(this.entry.backoff.next() + (error instanceof TurnedAway ? error.retryMs : 0));
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
        this.events.notice(frame.body);
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
        () => undefined,
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
    const tokenRefused = code === CLOSE_UNAUTHORIZED || code === CLOSE_TOKEN_EXPIRED;
    const first = this.entry.backoff.attempt === 0;
    const delay = this.entry.backoff.next();
    switch (adviceOf(code)) {
      case 'never':
        if (tokenRefused) void this.#renew(code, first ? 0 : delay);
        else this.#end(code);
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

  async #renew(code: number, delay: number): Promise<void> {
    try {
      if (await this.identity.renew()) this.#later(delay);
      else this.#end(code);
    } catch {
      this.#later(this.entry.backoff.next());
    }
  }

  #later(delay: number): void {
    this.events.state({ kind: 'waiting', untilMs: Date.now() + delay });
    clearTimeout(this.#retry);
    this.#retry = setTimeout(() => void this.#open(), delay);
  }

  #end(code: number): void {
    this.#ended = true;
    this.events.state({ kind: 'ended', code, refusal: this.#refusal });
  }
}

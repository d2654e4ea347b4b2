// A visit to one room: `join` opens it, and the room is what the caller holds.

import { Credentials, type TokenSource } from './credentials.ts';
import { Connection } from './downlink/connection.ts';
import { type LossKind, type State } from './downlink/connection_events.ts';
import { Emitter } from './emitter.ts';
import { Entry } from './entry/entry.ts';
import { type OpenSuperChat, type RoomBatch, type RoomEvents, type RoomMessage, type RoomView } from './events.ts';
import { Guest, type GuestOptions } from './guest.ts';
import { Keeper } from './heartbeat/keeper.ts';
import { Host, type HostOptions } from './host.ts';
import { readBody, readPoll, readPulse, type BatchMessage, type Body, type Hello, type Signal } from './protocol/frames.ts';
import { merge, type RoomState } from './protocol/state.ts';
import { Reader } from './reader.ts';
import { type Acted, type Action, type Call, type Called, type Emote, type History, type HistoryQuery } from './uplink/requests.ts';
import { type Post, type Refused, type Report, type Reported, type Sent, type Voted } from './uplink/requests.ts';
import type { Uplink } from './uplink/uplink.ts';

/** Time in the background after which chat is counted instead of delivered. */
const HIDDEN_MS = 30_000;

export interface JoinOptions extends HostOptions {
  /** Base URLs of entry, in the order to ask. Default: the origin of the page. */
  entry?: string | readonly string[] | undefined;
  room: string;
  /** Token of the user, called before every connect. Without it the viewer is a guest, where the server has guests. */
  token?: TokenSource | undefined;
  /** Name of a guest. */
  guest?: GuestOptions | undefined;
  /** What the server counts this client as. An overlay is in no number of viewers. Default: `web`. */
  platform?: 'web' | 'overlay' | undefined;
  /** What a page in the background gets: the number of chat messages, or all of them. Default: `counts`. */
  background?: 'counts' | 'all' | undefined;
}

/** Joins a room. The room connects by itself, and reconnects until it is closed. */
export function join(options: JoinOptions): Room {
  return new Room(options);
}

export class Room implements AsyncIterable<RoomBatch> {
  #room: string;
  #host: Host;
  #credentials: Credentials;
  #entry: Entry;
  #keeper: Keeper;
  #connection: Connection;
  #uplink: Promise<Uplink> | null = null;
  #emitter = new Emitter<RoomEvents>();
  #readers = new Set<Reader>();
  #state: State = { kind: 'connecting', sinceMs: Date.now(), reason: { code: 'start', message: '' } };
  #merged: RoomState = {};
  #view: RoomView = viewOf({});
  #role: string | null = null;
  #online: number | null = null;
  #countsHidden: boolean;
  /** Time at which the page went to the background; null while it is shown. */
  #hiddenAtMs: number | null = null;
  #hiddenCount = 0;

  /** Use `join`. */
  constructor({ entry, room, token, guest, background = 'counts', platform = 'web', ...host }: JoinOptions) {
    const here = (globalThis as { location?: { origin?: string } }).location?.origin;
    const entries = typeof entry === 'string' ? [entry] : (entry ?? (here === undefined ? [] : [here]));
    if (entries.length === 0) throw new TypeError('join() needs `entry` outside of a page');
    this.#room = room;
    this.#host = new Host(entries.map((url) => new URL(url, here).href.replace(/\/+$/, '')), host, platform);
    this.#credentials = new Credentials(this.#host, token ?? null, new Guest(this.#host, guest));
    this.#keeper = new Keeper(this.#host);
    this.#entry = new Entry(this.#host, room, (carrier, region) => this.#keeper.placed(carrier, region));
    this.#countsHidden = background === 'counts';
    this.#connection = new Connection(this.#host, this.#credentials, this.#entry, this.#keeper, {
      state: (state) => this.#enter(state),
      hello: (hello) => this.#hello(hello),
      roomState: (state) => this.#merge(state),
      messages: (messages) => this.#take(messages),
      pulse: (pulse) => {
        const read = readPulse(pulse);
        if (read.online !== undefined) this.#online = read.online;
        this.#emitter.emit('pulse', read);
      },
      lost: (kind, count) => this.#lost(kind, count),
      notice: (sequence, raw) => this.#notice(sequence, raw),
    });
    this.#host.watch({ shown: () => this.#shown() });
    this.#shown();
    // The caller adds its listeners first.
    queueMicrotask(() => {
      if (!this.#host.closed) this.#connection.start();
    });
  }

  /** Adds a listener, and returns the function that removes it. */
  on<Type extends keyof RoomEvents>(type: Type, listener: (event: RoomEvents[Type]) => void): () => void {
    return this.#emitter.on(type, listener);
  }

  /** Iterates over the batches from now on, until the room is closed. */
  [Symbol.asyncIterator](): AsyncIterator<RoomBatch> {
    const reader = new Reader((ended) => this.#readers.delete(ended));
    this.#readers.add(reader);
    if (this.#host.closed) reader.end();
    return reader;
  }

  get state(): State {
    return this.#state;
  }

  /** State of the room: settings, pinned message, poll, attributes. */
  get roomState(): RoomView {
    return this.#view;
  }

  /** User id of this viewer; null before it is known, and for an anonymous viewer. */
  get user(): string | null {
    return this.#credentials.user;
  }

  /** Name that the token or the guest has. */
  get name(): string {
    return this.#credentials.name;
  }

  /** Role of this viewer: that of the token, or the one that the room gave. For display: the server decides. */
  get role(): string {
    return this.#role ?? this.#credentials.role;
  }

  /** Whether this viewer has a token, which every request but reading needs. */
  get canSend(): boolean {
    return this.#credentials.token !== null;
  }

  /** Viewers online; null before the server named a number. */
  get online(): number | null {
    return this.#online;
  }

  /** Sends a message. Never rejects: the outcome is a value. */
  async send(post: Post): Promise<Sent> {
    // The user waits to see the message, so a silent connection must show that it works.
    this.#keeper.posted();
    return this.#ask((uplink) => uplink.send(post), (refused) => ({ ...refused, id: post.id ?? '' }));
  }

  /** Acts as a moderator. */
  act(action: Action, options: { id?: string; reason?: string } = {}): Promise<Acted> {
    return this.#ask((uplink) => uplink.act(action, options), (refused) => ({ ...refused, id: options.id ?? '' }));
  }

  /** Votes for an option of a poll by its number, from 1. */
  vote(poll: string, option: number): Promise<Voted> {
    return this.#ask<Voted>((uplink) => uplink.vote(poll, option), (refused) => refused);
  }

  /** Reports a user to the moderators. */
  report(report: Report): Promise<Reported> {
    return this.#ask<Reported>((uplink) => uplink.report(report), (refused) => refused);
  }

  /** Reads a page of the history. */
  history(query: HistoryQuery = {}): Promise<History> {
    return this.#ask((uplink) => uplink.history(query), (refusal) => ({ messages: [], more: false, next: null, refusal }));
  }

  /** Requests another resource of the room, such as `reviews`, with the token of this viewer. */
  call<Answer = unknown>(call: Call): Promise<Called<Answer>> {
    return this.#ask<Called<Answer>>((uplink) => uplink.call<Answer>(call), (refused) => refused);
  }

  /** Loads the emotes of the platform and of the room. */
  emotes(): Promise<Emote[]> {
    return this.#ask((uplink) => uplink.emotes(), () => []);
  }

  /** Opens the connection of the next message ahead, when the user begins to write. */
  async warm(): Promise<void> {
    await this.#ask((uplink) => uplink.warm(), () => undefined);
  }

  /** Connects now instead of at the end of a wait; behind a refused token, with another one. */
  retry(): void {
    this.#connection.retry();
  }

  /** Leaves the room for good: ends the connection, all requests, all loops, and removes all listeners. */
  close(): void {
    if (this.#host.closed) return;
    this.#connection.close();
    this.#host.close();
    this.#keeper.close();
    const reason = { code: 'closed', message: 'the caller closed the room' };
    this.#enter({ kind: 'ended', ...reason, sinceMs: Date.now(), reason });
    for (const reader of [...this.#readers]) reader.end();
    this.#emitter.clear();
  }

  async #ask<Answer>(request: (uplink: Uplink) => Promise<Answer>, refused: (refused: Refused) => Answer): Promise<Answer> {
    if (this.#host.closed) return refused({ kind: 'refused', code: 'closed', message: 'the room is closed' });
    try {
      this.#uplink ??= this.#load();
      return await request(await this.#uplink);
    } catch (error) {
      this.#uplink = null;
      return refused({ kind: 'refused', code: 'network', message: String(error) });
    }
  }

  async #load(): Promise<Uplink> {
    const { Uplink } = await import('./uplink/uplink.ts');
    return new Uplink(this.#host, this.#credentials, this.#entry, this.#room);
  }

  #enter(state: State): void {
    this.#state = state;
    this.#emitter.emit('state', state);
  }

  #hello(hello: Hello): void {
    if (hello.online !== null) this.#online = hello.online;
    this.#merge(hello.state);
    this.#emitter.emit('hello', hello);
  }

  #merge(state: unknown): void {
    if (!merge(this.#merged, state)) return;
    this.#view = viewOf(this.#merged);
    this.#emitter.emit('roomState', this.#view);
  }

  #take(arrived: BatchMessage[]): void {
    const messages: RoomMessage[] = [];
    let hidden = 0;
    for (const { sequence, class: group, body: raw } of arrived) {
      const body = readBody(raw);
      if (!body) continue;
      if (body.type === 'signal') this.#signal(body);
      if (group === 'chat' && this.#isCounting) hidden += 1;
      else messages.push({ sequence, class: group, body });
    }
    this.#hiddenCount += hidden;
    if (messages.length === 0) return;
    const batch = { messages, missed: 0 };
    this.#emitter.emit('batch', batch);
    for (const reader of this.#readers) reader.push(batch);
  }

  #notice(sequence: number, raw: unknown): void {
    const body = readBody(raw);
    if (!body) return;
    if (body.type === 'signal') this.#signal(body);
    this.#emitter.emit('notice', { sequence, body });
  }

  /** Takes what a signal says about this viewer and the room. */
  #signal(signal: Signal): void {
    this.#merge(signal.state);
    if (this.user === null || signal.user !== this.user) return;
    if (signal.signal === 'kick') this.#connection.kickedUntil(signal.until_ms ?? Infinity);
    if (signal.signal === 'role') this.#role = signal.role ?? null;
  }

  #lost(kind: LossKind, count: number): void {
    this.#emitter.emit('loss', { kind, count });
  }

  get #isCounting(): boolean {
    return this.#countsHidden && this.#hiddenAtMs !== null && Date.now() - this.#hiddenAtMs >= HIDDEN_MS;
  }

  #shown(): void {
    if (this.#host.hidden) {
      this.#hiddenAtMs ??= Date.now();
      return;
    }
    this.#hiddenAtMs = null;
    const count = this.#hiddenCount;
    this.#hiddenCount = 0;
    if (count > 0) this.#emitter.emit('loss', { kind: 'hidden', count });
  }
}

function viewOf(state: RoomState): RoomView {
  const pinned = state.pinned?.value;
  const body: Body | null = readBody(pinned?.message);
  return {
    settings: state.settings?.value ?? {},
    pinned: pinned && body ? { sequence: pinned.sequence, body } : null,
    poll: readPoll(state.poll?.value),
    attributes: valuesOf(state.attributes?.entries),
    super_chats: Object.values(valuesOf(state.super_chats?.entries)).flatMap(readSuperChat),
  };
}

function readSuperChat(value: unknown): OpenSuperChat[] {
  const { sequence, until_ms, message, read } = (value ?? {}) as Record<string, unknown>;
  const body = readBody(message);
  if (typeof sequence !== 'number' || typeof until_ms !== 'number' || body?.type !== 'super_chat') return [];
  return [{ sequence, until_ms, body, read: read === true }];
}

/** Returns the values that are there. A key may be `__proto__`, so the object has no prototype. */
function valuesOf<T>(entries: Record<string, { value?: T }> = {}): Record<string, T> {
  const values = Object.create(null) as Record<string, T>;
  for (const [key, { value }] of Object.entries(entries)) if (value !== undefined) values[key] = value;
  return values;
}

// A visit to one room: `join` opens it, and the room is what the caller holds.

import { Credentials, type TokenSource } from './credentials.ts';
import { Connection } from './downlink/connection.ts';
import type { State } from './downlink/states.ts';
import { Emitter } from './emitter.ts';
import { Entry } from './entry/entry.ts';
import type { RoomBatch, RoomEvents, RoomView } from './events.ts';
import type { GuestOptions } from './guest.ts';
import { Heart } from './heartbeat/heart.ts';
import { Host, type HostOptions } from './host.ts';
import type { Sink } from './inbox.ts';
import { Reader } from './reader.ts';
import type { Acted, Action, Call, Called, Emote, History, HistoryQuery } from './uplink/requests.ts';
import type { Post, Refused, Report, Reported, Sent, Voted } from './uplink/requests.ts';
import type { Uplink } from './uplink/uplink.ts';

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
  #heart: Heart;
  #connection: Connection;
  #uplink: Promise<Uplink> | null = null;
  #emitter = new Emitter<RoomEvents>();
  #readers = new Set<Reader>();
  #state: State = { kind: 'connecting', sinceMs: Date.now(), reason: { code: 'start', message: '' } };
  #view: RoomView = { settings: {}, pinned: null, poll: null, attributes: {}, super_chats: [] };
  #role: string | null = null;
  #online: number | null = null;

  /** Use `join`. */
  constructor({ entry, room, token, guest, background = 'counts', platform = 'web', ...host }: JoinOptions, Surroundings = Host) {
    const here = (globalThis as { location?: { origin?: string } }).location?.origin;
    const entries = typeof entry === 'string' ? [entry] : (entry ?? (here === undefined ? [] : [here]));
    if (entries.length === 0) throw new TypeError('no `entry`');
    this.#room = room;
    this.#host = new Surroundings(entries.map((url) => new URL(url, here).href.replace(/\/+$/, '')), host, platform);
    this.#credentials = new Credentials(this.#host, token ?? null, guest);
    this.#heart = new Heart(this.#host);
    this.#entry = new Entry(this.#host, room, (carrier, region) => this.#heart.placed(carrier, region));
    this.#connection = new Connection(this.#host, this.#credentials, this.#entry, room, this.#heart, {
      state: (state) => this.#enter(state),
      inbox: ({ Inbox }) => new Inbox(this.#host, this.#sink, background),
    });
    // It arrives while entry is asked.
    this.#host.later().catch(() => undefined);
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
    this.#heart.posted();
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

  /**
   * Begins or ends the mail of the user's inbox on the connection of now: events of the type `mail`. `openInbox` calls it.
   * A device that gets notifications says whether it is in front: it then gets none for what the page shows.
   */
  attach(type: 'attach' | 'detach', at?: { device: string; visible: boolean }): void {
    this.#connection.send({ type, ...at });
  }

  /** Loads the emotes of the platform and of the room. */
  emotes(): Promise<Emote[]> {
    return this.#ask((uplink) => uplink.emotes(), () => []);
  }

  /** Base URLs of the uplinks in the order to ask, for routes that are of no room, such as `/v1/accounts`. */
  uplinks(): Promise<string[]> {
    return this.#entry.uplinks();
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
    this.#host.close();
    this.#connection.close();
    this.#heart.close();
    const reason = { code: 'closed', message: '' };
    this.#enter({ kind: 'ended', ...reason, sinceMs: Date.now(), reason });
    for (const reader of [...this.#readers]) reader.end();
    this.#emitter.clear();
  }

  async #ask<Answer>(request: (uplink: Uplink) => Promise<Answer>, refused: (refused: Refused) => Answer): Promise<Answer> {
    if (this.#host.closed) return refused({ kind: 'refused', code: 'closed', message: '' });
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

  /** What the inbox sees of this room. */
  get #sink(): Sink {
    const credentials = this.#credentials;
    return {
      get user() {
        return credentials.user;
      },
      emit: (type, event) => {
        this.#emitter.emit(type, event);
        if (type === 'batch') for (const reader of this.#readers) reader.push(event as RoomBatch);
      },
      know: ({ view, online, role }) => {
        this.#view = view ?? this.#view;
        this.#online = online ?? this.#online;
        this.#role = role ?? this.#role;
      },
      send: (frame) => this.#connection.send(frame),
      abandon: () => this.#connection.abandon(),
      kickedUntil: (untilMs) => this.#connection.kickedUntil(untilMs),
    };
  }
}

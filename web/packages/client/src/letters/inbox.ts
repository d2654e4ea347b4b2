// The inbox of a user: conversations, unread numbers and items, in step with the user's other devices. It attaches
// to the mail of a connection, asks where something is missing, and keeps everything on the device.

import { Emitter } from '../emitter.ts';
import type { Call, Refused } from '../uplink/requests.ts';
import { Book, type Answer, type Conversation, type Item, type MailFrame, type Place, type Undelivered } from './book.ts';
import type { MailSource } from './connection.ts';
import { openStore, type Change, type InboxStore } from './store.ts';

/** Wait before a request that failed is sent again. */
const RETRY_MS = 5_000;
/** Spread of the request behind an answer that mail has overtaken. It doubles with each such answer in a row, up to the second value. */
const OVERTAKEN_MS = [250, 30_000] as const;
/** Time in which read places are gathered into one request. */
const READS_MS = 300;
/** Longest wait of the server for a change, over long polls, and at servers without bells: below the timeout of a request. */
const POLL_SECS = 5;
/** Items of a page of the history. */
const PAGE = 50;
/** Refusals behind which this user has no inbox at this server. */
const FINAL: ReadonlySet<string> = new Set(['closed', 'not_found', 'unauthorized', 'forbidden']);

export interface InboxOptions {
  /** Where the inbox of a user is kept. Default: IndexedDB, or memory where there is none. */
  store?: ((user: string) => Promise<InboxStore>) | undefined;
}

/** What a user writes: a text, a sticker by its id, or a medium by its reference, by default a picture. */
export type Letter = ({ text: string; mentions?: string[] } | { sticker: string } | MediumLetter) & { replyTo?: number; id?: string };

/** A medium by the `reference` of its upload, perhaps with a text below it. A `sticker` is a public picture without one. */
export interface MediumLetter {
  media: string;
  kind?: 'image' | 'file' | 'sticker';
  text?: string;
  /** Name of a `file`, as readers see it: at most 120 characters. */
  fileName?: string | undefined;
}

/** Outcome of a letter. It is durable then, and arrives as an item a moment later. */
export type Written = { kind: 'accepted'; id: string; conversation: string } | (Refused & { id: string });

/** Outcome of a change. It is durable then, and shows with the next mail. */
export type Changed = { kind: 'accepted' } | Refused;

/** How a user sees a conversation. Out of the folder `request`, `main` accepts the sender. */
export type View = Partial<Pick<Conversation, 'folder' | 'notify' | 'pinned' | 'marked'>>;

/** Who may begin to write to a user, and whether both sides see what was read. */
export interface Preferences {
  policy: 'everyone' | 'requests' | 'known';
  receipts: 'shown' | 'hidden';
}

export interface InboxEvents {
  /** Conversations or numbers have changed. */
  change: Inbox;
  /** Items that arrived, oldest first. */
  items: { conversation: string; items: Item[] };
  /** Places of items that the user has hidden, here or on another device. */
  hidden: Place[];
  /** A letter was accepted and has no effect. */
  undelivered: Undelivered;
}

/**
 * Opens the inbox of a user, one for a room or for a connection of `connectInbox`. It is empty until that is open; a
 * guest's stays empty.
 */
export function openInbox(room: MailSource, options: InboxOptions = {}): Inbox {
  return new Inbox(room, options);
}

export class Inbox {
  #emitter = new Emitter<InboxEvents>();
  #book: Book | null = null;
  #store: InboxStore | null = null;
  #cursor: string | null = null;
  /** Work on book and store, one after the other. */
  #queue: Promise<void> = Promise.resolve();
  #asking = false;
  #asksAgain = false;
  /** Whether the connection of now brings mail or bells, so that nothing is asked by a timer. */
  #isRung = false;
  /** Answers in a row that mail has overtaken. */
  #overtaken = 0;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #reads = new Map<string, number>();
  #reading: ReturnType<typeof setTimeout> | undefined;
  #enders: (() => void)[];
  #closed = false;

  /** Use `openInbox`. */
  constructor(
    private readonly room: MailSource,
    private readonly options: InboxOptions,
  ) {
    this.#enders = [
      room.on('mail', (frame) => this.#later(() => this.#frame(frame))),
      room.on('state', ({ kind }) => {
        this.#isRung &&= kind === 'open';
        this.#poll();
      }),
      room.on('hello', ({ user = '' }) => (room.rings ? void this.#later(() => this.#frame({ type: 'attached', user })) : room.attach('attach'))),
      () => room.attach('detach'),
    ];
    room.attach('attach');
    this.#poll();
  }

  on<Type extends keyof InboxEvents>(type: Type, listener: (event: InboxEvents[Type]) => void): () => void {
    return this.#emitter.on(type, listener);
  }

  /** User of the inbox; null before it is known. */
  get user(): string | null {
    return this.#book?.user ?? null;
  }

  /** Unread items of all conversations that count. */
  get unread(): number {
    return this.#book?.unread ?? 0;
  }

  /** Conversations: pinned ones first, then by their newest item. */
  get conversations(): Conversation[] {
    const rows = [...(this.#book?.rows.values() ?? [])].filter((row) => !row.deleted);
    return rows.sort((one, other) => Number(other.pinned ?? false) - Number(one.pinned ?? false) || other.at_ms - one.at_ms);
  }

  /** Items of a conversation before a position, oldest first: those of the device, and what it lacks from the server. */
  async items(conversation: string, { before = Number.MAX_SAFE_INTEGER, limit = PAGE }: { before?: number; limit?: number } = {}): Promise<Item[]> {
    const row = this.#book?.rows.get(conversation);
    const { after = 0, left, head = 0 } = row ?? {};
    // The store has what was cleared, too.
    const kept = ((await this.#store?.items(conversation, before, limit)) ?? []).filter(({ position }) => position > after);
    const end = Math.min(before - 1, left ?? head);
    const first = Math.max(after + 1, end - limit + 1);
    // Positions are dense: a device that has them all need not ask. Hidden ones are missing for ever, and cost a request.
    if (row && kept.filter(({ position }) => position >= first).length >= end - first + 1) return kept;
    const query = before === Number.MAX_SAFE_INTEGER ? '' : `before=${before}&`;
    const called = await this.room.call<{ items: Item[] }>({ path: conversationPath(conversation, `/messages?${query}limit=${limit}`) });
    if (called.kind === 'refused') return kept;
    const { items } = called.answer;
    await this.#later(() => this.#keep({ items: items.map((item) => ({ conversation, item })) }));
    return items;
  }

  /** Sends a letter to a user. */
  write(user: string, letter: Letter): Promise<Written> {
    return this.#post(`/v1/users/${encodeURIComponent(user)}/messages`, letter);
  }

  /** Sends a letter to a conversation. */
  reply(conversation: string, letter: Letter): Promise<Written> {
    return this.#post(conversationPath(conversation, '/messages'), letter);
  }

  /** Notes that the user has read up to a position; without one, everything. Several notes are one request. */
  read(conversation: string, position = this.#book?.rows.get(conversation)?.head ?? 0): void {
    if (position < 1 || position <= (this.#book?.rows.get(conversation)?.read ?? 0)) return;
    this.#reads.set(conversation, Math.max(position, this.#reads.get(conversation) ?? 0));
    this.#reading ??= setTimeout(() => void this.#sendReads(), READS_MS);
  }

  /** Recalls an own item for all. */
  recall(conversation: string, position: number): Promise<Changed> {
    return this.#change('POST', conversationPath(conversation, '/recall'), { position });
  }

  /** Hides an item from the user alone. */
  hide(conversation: string, position: number): Promise<Changed> {
    return this.#change('POST', conversationPath(conversation, '/hide'), { position });
  }

  /** Clears all items of a conversation from the user alone. */
  clear(conversation: string): Promise<Changed> {
    return this.#change('POST', conversationPath(conversation, '/clear'), { position: this.#book?.rows.get(conversation)?.head ?? 1 });
  }

  /** Changes how the user sees a conversation. */
  see(conversation: string, view: View): Promise<Changed> {
    return this.#change('PATCH', conversationPath(conversation), view);
  }

  /** Reads the user's rules for letters, and the users whom it blocks. */
  async preferences(): Promise<{ preferences: Preferences; blocked: string[] } | Refused> {
    const called = await this.room.call<{ preferences: Preferences; blocked: string[] }>({ path: '/v1/inbox/preferences' });
    return called.kind === 'refused' ? called : called.answer;
  }

  prefer(preferences: Preferences): Promise<Changed> {
    return this.#change('PUT', '/v1/inbox/preferences', preferences);
  }

  /** Begins the block of a user. It refuses letters in both directions. */
  block(user: string): Promise<Changed> {
    return this.#change('PUT', `/v1/blocks/${encodeURIComponent(user)}`);
  }

  unblock(user: string): Promise<Changed> {
    return this.#change('DELETE', `/v1/blocks/${encodeURIComponent(user)}`);
  }

  /** Reports a user of a conversation to the operators, with the last items up to a position, or up to the newest one. */
  report(report: { user: string; conversation: string; reason: string; position?: number }): Promise<Changed> {
    return this.#change('POST', '/v1/reports', report);
  }

  /** Ends the inbox. What the device has stays there. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    clearTimeout(this.#timer);
    if (this.#reading !== undefined) void this.#sendReads();
    for (const end of this.#enders) end();
    this.#emitter.clear();
    void this.#later(async () => this.#store?.close());
  }

  async #post(path: string, { id = letterId(), replyTo, ...letter }: Letter): Promise<Written> {
    const { kind = 'media' in letter ? 'image' : 'text' in letter ? 'text' : 'sticker', fileName, ...said } = letter as Partial<MediumLetter>;
    const body = { type: kind, id, ...said, file_name: fileName, ...(replyTo === undefined ? {} : { reply_to: replyTo }) };
    const called = await this.room.call<{ conversation: string }>({ method: 'POST', path, body });
    return called.kind === 'refused' ? { ...called, id } : { kind: 'accepted', id, conversation: called.answer.conversation };
  }

  async #change(method: NonNullable<Call['method']>, path: string, body?: unknown): Promise<Changed> {
    const called = await this.room.call({ method, path, body });
    return called.kind === 'refused' ? called : { kind: 'accepted' };
  }

  async #sendReads(): Promise<void> {
    clearTimeout(this.#reading);
    this.#reading = undefined;
    const reads = [...this.#reads].slice(0, 100).map(([conversation, position]) => ({ conversation, position }));
    for (const { conversation } of reads) this.#reads.delete(conversation);
    if (reads.length === 0) return;
    const called = await this.room.call({ method: 'POST', path: '/v1/inbox/reads', body: { reads } });
    if (called.kind !== 'refused' || this.#closed) return;
    // The places are sent again with the next ones, unless the user has read on.
    for (const { conversation, position } of reads) this.#reads.set(conversation, Math.max(position, this.#reads.get(conversation) ?? 0));
  }

  /** Does work behind all work from before. A failure leaves the inbox as it is: the next answer repairs it. */
  #later(work: () => Promise<void> | undefined): Promise<void> {
    this.#queue = this.#queue.then(work).catch((error: unknown) => console.error(error));
    return this.#queue;
  }

  async #frame(frame: MailFrame): Promise<void> {
    if (frame.type === 'attached') {
      this.#isRung = true;
      await this.#belongsTo(frame.user);
    }
    const book = this.#book;
    if (!book) return;
    const before = book.version;
    const asks = book.take(frame);
    if (frame.type === 'mail' && asks === null) {
      // Mail of a version that was there already brings nothing but items of groups.
      const isNew = frame.version === undefined || frame.version > before;
      const rows = isNew ? (frame.conversations ?? []) : [];
      const items = [...rows, ...(frame.groups ?? [])].flatMap(({ conversation, items: some = [] }) => some.map((item) => ({ conversation, item })));
      const touched = [...rows, ...(frame.groups ?? [])].map(({ conversation }) => conversation);
      await this.#keep({ items, touched, hidden: isNew ? (frame.hidden ?? []) : [], undelivered: isNew ? (frame.undelivered ?? []) : [] });
    }
    if (asks !== null) this.#askWithin(asks);
  }

  /** Opens what the device has of a user. */
  async #belongsTo(user: string): Promise<void> {
    if (this.#book?.user === user) return;
    this.#store?.close();
    this.#store = await (this.options.store ?? openStore)(user);
    const kept = await this.#store.load();
    this.#book = new Book(user);
    this.#cursor = kept?.stand.cursor ?? null;
    if (!kept) return;
    Object.assign(this.#book, { version: kept.stand.version, direct: kept.stand.direct });
    for (const row of kept.rows) this.#book.rows.set(row.conversation, row);
    this.#emitter.emit('change', this);
  }

  /** Asks after a random part of a time. */
  #askWithin(spreadMs: number): void {
    if (this.#closed) return;
    if (spreadMs === 0) return void this.#ask();
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => void this.#ask(), Math.random() * spreadMs);
  }

  /** Asks for what the device lacks, and again while there is more. */
  async #ask(waitSecs = 0): Promise<void> {
    this.#asksAgain = true;
    if (this.#asking) return;
    this.#asking = true;
    let isAnswered = true;
    while (this.#asksAgain && !this.#closed) {
      this.#asksAgain = false;
      const cursor = this.#cursor === null ? '' : `&cursor=${encodeURIComponent(this.#cursor)}`;
      const wait = waitSecs > 0 && this.#cursor !== null ? `&wait_secs=${waitSecs}` : '';
      const called = await this.room.call<Answer>({ path: `/v1/inbox?items=20&top=20${cursor}${wait}` });
      if (called.kind === 'refused') {
        // A cursor that a server does not take is none.
        if (called.code === 'bad_cursor') this.#cursor = null;
        if (!FINAL.has(called.code)) this.#askWithin(called.waitMs ?? RETRY_MS);
        isAnswered = false;
        break;
      }
      await this.#later(() => this.#answered(called.answer));
    }
    this.#asking = false;
    if (isAnswered && this.#overtaken === 0) this.#poll();
  }

  async #answered(answer: Answer): Promise<void> {
    const book = this.#book;
    if (!book) return;
    const asks = book.answered(answer);
    if (asks === null || answer.more) {
      this.#overtaken = 0;
      this.#asksAgain ||= asks !== null;
    } else {
      const [least, most] = OVERTAKEN_MS;
      this.#askWithin(Math.min(most, least * 2 ** this.#overtaken++));
    }
    const rows = answer.conversations ?? [];
    const items = rows.flatMap(({ conversation, items: some = [] }) => some.map((item) => ({ conversation, item })));
    const { reset = false, cursor, hidden = [], undelivered = [] } = answer;
    await this.#keep({ items, touched: rows.map(({ conversation }) => conversation), hidden, undelivered, reset, cursor });
  }

  /** Writes what arrived, and tells of it once it is written. */
  async #keep({ items = [], touched = [], hidden = [], undelivered = [], reset = false, cursor = this.#cursor }: Kept): Promise<void> {
    const book = this.#book;
    if (!book) return;
    const rows = [...new Set(touched)].flatMap((id) => book.rows.get(id) ?? []);
    const recalled = await Promise.all(items.flatMap((one) => (one.item.recalls === undefined ? [] : [this.#recalled(one.conversation, one.item.recalls)])));
    const change: Change = { stand: { cursor, version: book.version, direct: book.direct }, reset, rows, hidden, items: [...items, ...recalled.flat()] };
    await this.#store?.save(change);
    // A user who has never had a letter learns that the inbox is there.
    const isFirst = this.#cursor === null && cursor !== null;
    this.#cursor = cursor;
    if (this.#closed) return;
    const ids = new Set(items.map(({ conversation }) => conversation));
    for (const conversation of ids) {
      this.#emitter.emit('items', { conversation, items: items.filter((one) => one.conversation === conversation).map(({ item }) => item) });
    }
    if (hidden.length > 0) this.#emitter.emit('hidden', hidden);
    for (const letter of undelivered) this.#emitter.emit('undelivered', letter);
    if (rows.length > 0 || hidden.length > 0 || reset || isFirst) this.#emitter.emit('change', this);
  }

  /** Returns a kept item as it is behind its recall. */
  async #recalled(conversation: string, position: number): Promise<{ conversation: string; item: Item }[]> {
    const [kept] = (await this.#store?.items(conversation, position + 1, 1)) ?? [];
    if (kept?.position !== position) return [];
    const { body: _, ...item } = kept;
    return [{ conversation, item: { ...item, recalled: true } }];
  }

  /** Over transports without mail and bells, the server answers when something has changed. */
  #poll(): void {
    const { state } = this.room;
    if (this.#isRung || this.room.rings || this.#closed || this.#asking || state.kind !== 'open' || state.transport === 'ws') return;
    const { user } = this.room;
    if (user === null) return;
    void this.#later(() => this.#belongsTo(user)).then(() => this.#ask(POLL_SECS));
  }
}

interface Kept {
  items?: { conversation: string; item: Item }[];
  /** Conversations whose rows changed. */
  touched?: string[];
  hidden?: Place[];
  undelivered?: Undelivered[];
  reset?: boolean;
  cursor?: string | null;
}

function conversationPath(conversation: string, rest = ''): string {
  return `/v1/conversations/${encodeURIComponent(conversation)}${rest}`;
}

/** Returns a random id of 60 bits, unique within one sender and conversation. */
function letterId(): string {
  return Array.from(crypto.getRandomValues(new Uint8Array(12)), (byte) => '0123456789abcdefghijklmnopqrstuv'.charAt(byte & 31)).join('');
}

// The chat list. It follows the newest row until the reader scrolls up; then older pages come from the
// history, as far as the room goes back. The page holds a bounded number of rows: while the reader is
// away from the end, new messages are counted, and the rows farthest from the reader are removed.
//
// In a flood of messages screen readers do not read the list; `Spoken` then announces gifts, super
// chats and the page's own sentences.

import { element, icon } from '@barrage/ui/dom.ts';
import { nextFrame } from '@barrage/ui/frames.ts';
import { type Written } from '@barrage/client';
import { type Spoken } from '../chat/spoken.ts';
import { count, inLanguage, type Key, say, t } from '../page/i18n.ts';
import { Backlog } from './backlog.ts';
import { type Entry, type Message, message, quotable } from './entry.ts';
import { LiveRegion } from './live_region.ts';
import { Quotes } from './quotes.ts';
import { Ring } from './ring.ts';
import { RowList } from './row_list.ts';

/** Rows of a list that follows its newest row. The oldest is removed first. */
const ROWS_MAX = 200;
/** Rows of a list whose reader is above the end. */
const ROWS_READ_MAX = 400;
/** Messages of one page of the history. */
const PAGE_MAX = 60;
/** A reader this near to the end reads the newest rows. */
const NEAR_PX = 48;
/** A reader this near to the first or last row soon needs the next page. */
const SOON_PX = 240;
/** Above that rate the list changes only this often, because layout and paint of a long list cost time. */
const FLOOD_FLUSH_MS = 200;
/** Wait before the history is asked again after it did not answer. */
const RETRY_MS = 3_000;

/** Stands above the first message of the room. */
const BEGINNING: Entry = { kind: 'note', key: 'beginning', values: {} };

export interface Page {
  messages: { sequence: number; body: Written }[];
  more: boolean;
}

export interface ListEvents {
  /** Reads a page of the history; null when it cannot be read now. */
  history(at: { before: number } | { after: number }, limit: number): Promise<Page | null>;
  /** Whether a message is shown: the viewer may have blocked the user or a word. */
  shows(body: Written, sequence: number | null): boolean;
  user(): string | null;
}

export class List {
  #ring = new Ring(ROWS_MAX);
  #pending = new Backlog(ROWS_MAX);
  #rows: RowList;
  #following = true;
  /** Whether the last row is the newest of the room. */
  #attached = true;
  /** Whether the history may have messages before the first row. */
  #hasOlder = true;
  #loading = false;
  #unread = 0;
  #live: LiveRegion;
  #flushedMs = -Infinity;
  /** Where the last flush left a list that follows its newest row. */
  #followedPx = 0;
  #quotes = new Quotes((sequence) => this.#readQuoted(sequence), (sequence) => this.#fillQuotes(sequence));

  constructor(
    private readonly root: HTMLElement,
    log: HTMLElement,
    private readonly newer: HTMLButtonElement,
    private readonly spoken: Spoken,
    private readonly events: ListEvents,
  ) {
    this.#live = new LiveRegion(log);
    this.#rows = new RowList(root, { user: () => events.user(), quoted: (sequence) => this.#quoted(sequence) });
    root.addEventListener('scroll', () => this.#scrolled(), { passive: true });
    root.addEventListener('click', (event) => {
      const to = (event.target as Element).closest<HTMLElement>('.reply')?.dataset['to'];
      if (to !== undefined) void this.show(Number(to));
    });
    newer.addEventListener('click', () => this.follow());
    // Panels above the list come and go; the newest row stays in view.
    new ResizeObserver(() => this.#following && this.#toEnd()).observe(root);
    inLanguage(() => this.#label());
  }

  add(body: Written, sequence: number | null, origin: 'own' | 'other', held: Key | null = null): void {
    if (held === null) this.#removeHeld(body);
    if (!this.events.shows(body, sequence)) return;
    this.#push(message(body, sequence, origin, held));
  }

  /** Adds a sentence of the page itself. */
  say(key: Key, values: Record<string, string | number> = {}): void {
    this.#push({ kind: 'note', key, values });
  }

  /** Adds a sentence of the server. */
  quote(text: string): void {
    this.#push({ kind: 'quote', text });
  }

  /** Adds to the number of messages that are not shown. Consecutive numbers share one row. */
  leftOut(more: number): void {
    const last = this.#ring.entries.at(-1);
    if (last?.kind !== 'leftOut') return this.#push({ kind: 'leftOut', count: more });
    last.count += more;
    const row = this.#rows.of(last);
    if (row) say(row, 'leftOut', { count: count(last.count) });
  }

  recall(sequence: number): void {
    this.#remove((one) => one.sequence === sequence);
    this.#quotes.hide((one) => one === sequence);
    this.#rows.removeQuotes((one) => one === sequence);
  }

  /** Takes the text from the rows of a user. */
  purge(user: string): void {
    this.#quotes.hide((_, body) => body.user === user);
    const sequences = new Set(this.#shown().flatMap((one) => (one.body.user === user ? [one.sequence] : [])));
    this.#remove((one) => one.body.user === user);
    this.#rows.removeQuotes((one) => sequences.has(one));
  }

  /** Removes every row. */
  clear(): void {
    this.#pending.clear();
    this.#ring.clear();
    this.#quotes.hide(() => true);
    this.#rows.replace([]);
    this.#following = this.#attached = true;
    this.#hasOlder = false;
    this.#unread = 0;
    this.#label();
  }

  /** Removes rows that the viewer no longer wants to see. */
  filter(): void {
    const hides = (entry: Entry): boolean => entry.kind === 'message' && !this.events.shows(entry.body, entry.sequence);
    for (const part of [this.#ring, this.#pending, this.#rows]) part.remove(hides);
  }

  /** Returns the message of a row or of a node in it; null for a sentence. */
  messageAt(node: Node): Message | null {
    const entry = this.#rows.at(node);
    return entry?.kind === 'message' && !entry.removed ? entry : null;
  }

  /** Returns a message that the page holds. */
  find(sequence: number): Message | null {
    return this.#shown().find((one) => one.sequence === sequence && !one.removed) ?? null;
  }

  /** Loads the first older messages, so that a newcomer sees what was said. */
  async past(sequence: number): Promise<void> {
    if (sequence > 0) await this.#older(sequence + 1);
    else this.#hasOlder = false;
    this.root.dataset['past'] = 'shown';
  }

  /** Brings a message into view, out of the history if need be. */
  async show(sequence: number): Promise<void> {
    if (this.#reveal(sequence) || this.#loading) return;
    this.#loading = true;
    const half = Math.floor(PAGE_MAX / 2);
    const [upTo, behind] = await Promise.all([
      this.events.history({ before: sequence + 1 }, half),
      this.events.history({ after: sequence }, half),
    ]);
    this.#loading = false;
    if (upTo?.messages.at(-1)?.sequence !== sequence || behind === null) return this.spoken.say(t(upTo ? 'notFound' : 'noHistory'));
    this.#live.silently(() => {
      this.#rows.replace(this.#read([...upTo.messages, ...behind.messages]));
      this.#attached = this.#following = false;
      this.#hasOlder = upTo.more;
    });
    if (!behind.more) this.#attach();
    this.#label();
    this.#reveal(sequence);
  }

  /** Goes to the newest row, and follows it. */
  follow(): void {
    if (!this.#attached) {
      this.#live.silently(() => this.#rows.replace(this.#ring.entries));
      this.#pending.clear();
      this.#attached = this.#hasOlder = true;
    }
    this.#following = true;
    this.#unread = 0;
    this.#toEnd();
    this.#label();
    this.root.focus();
  }

  #push(entry: Entry): void {
    this.#ring.push(entry);
    this.#pending.push(entry);
    nextFrame(this.#flush);
  }

  #flush = (): void => {
    const nowMs = performance.now();
    if (this.#live.silent && nowMs - this.#flushedMs < FLOOD_FLUSH_MS) return nextFrame(this.#flush);
    this.#flushedMs = nowMs;
    const entries = this.#pending.take();
    this.#live.rows(entries.length);
    if (this.#live.silent) for (const entry of entries) this.#announce(entry);
    // The scroll event of a reader who has just scrolled up may come after this flush.
    if (this.#following && this.root.scrollTop < this.#followedPx - 1) this.#scrolled();
    if (!this.#following && this.#rows.count + entries.length > ROWS_READ_MAX) this.#attached = false;
    if (this.#attached) this.#rows.append(entries);
    if (this.#following) {
      this.#prune(ROWS_MAX);
      this.#toEnd();
    } else {
      this.#unread += entries.filter((entry) => entry.kind !== 'leftOut').length;
      this.#label();
    }
  };

  /** Announces what a screen reader hears also while it does not read the list: money, and sentences of the page. */
  #announce(entry: Entry): void {
    if (entry.kind === 'note') this.spoken.say(t(entry.key, entry.values));
    if (entry.kind === 'message' && entry.body.type !== 'chat') this.spoken.money(entry.body);
  }

  #read(messages: Page['messages']): Message[] {
    const user = this.events.user();
    return messages
      .filter(({ body, sequence }) => this.events.shows(body, sequence))
      .map(({ body, sequence }) => message(body, sequence, user !== null && body.user === user ? 'own' : 'other'));
  }

  /** Puts the page of the history before a position above the first row. */
  async #older(before: number): Promise<void> {
    if (this.#loading || !this.#hasOlder) return;
    this.#loading = true;
    const first = this.root.firstElementChild;
    const page = await this.events.history({ before }, PAGE_MAX);
    if (page === null) {
      setTimeout(() => {
        this.#loading = false;
        // A reader asks again by scrolling, where there is anything to scroll.
        if (this.root.scrollHeight <= this.root.clientHeight) void this.#older(before);
      }, RETRY_MS);
      return;
    }
    this.#loading = false;
    // The list has gone elsewhere meanwhile.
    if (first !== null && !first.isConnected) return;
    this.#hasOlder = page.more && page.messages.length > 0;
    const read = this.#read(page.messages);
    if (this.#attached) this.#ring.prepend(read);
    this.#live.silently(() => {
      const belowPx = this.root.scrollHeight - this.root.scrollTop;
      this.#rows.prepend([...(this.#hasOlder || this.#following ? [] : [BEGINNING]), ...read]);
      if (this.#following) this.#toEnd();
      else this.root.scrollTop = this.root.scrollHeight - belowPx;
      if (!this.#following && this.#rows.keepOldest(ROWS_READ_MAX)) this.#attached = false;
    });
    this.#label();
  }

  /** Puts the page of the history behind the last row below it. */
  async #newer(): Promise<void> {
    const last = this.#rows.sequences.at(-1);
    if (this.#loading || this.#attached || last === undefined) return;
    this.#loading = true;
    if (!this.#attach()) {
      const page = await this.events.history({ after: last }, PAGE_MAX);
      if (page && !this.#attached) {
        this.#live.silently(() => {
          this.#rows.append(this.#read(page.messages));
          const before = this.root.scrollHeight;
          this.#prune(ROWS_READ_MAX);
          this.root.scrollTop -= before - this.root.scrollHeight;
        });
        if (!page.more) this.#attach();
      }
    }
    this.#loading = false;
    this.#scrolled();
  }

  /** Appends what the ring has behind the last row, when nothing is missing between. Returns whether it did. */
  #attach(): boolean {
    const last = this.#rows.sequences.at(-1) ?? 0;
    const rest = this.#ring.after(last);
    if (rest === null) return false;
    // A message that waits may have come with the history meanwhile.
    this.#pending.removeUpTo(last);
    const pending = new Set(this.#pending.entries);
    this.#live.silently(() => this.#rows.append(rest.filter((entry) => !pending.has(entry))));
    this.#attached = true;
    return true;
  }

  #prune(max: number): void {
    if (this.#rows.keepNewest(max)) this.#hasOlder = true;
  }

  #shown(): Message[] {
    const all = new Set([...this.#rows.entries, ...this.#ring.entries, ...this.#pending.entries]);
    return [...all].filter((entry): entry is Message => entry.kind === 'message');
  }

  #quoted(sequence: number): string | null {
    const body = this.find(sequence)?.body ?? this.#quotes.of(sequence);
    return body && this.events.shows(body, sequence) ? quotable(body) : null;
  }

  /** Reads one message; null for one that is not there, undefined where the history does not answer. */
  async #readQuoted(sequence: number): Promise<Written | null | undefined> {
    const page = await this.events.history({ before: sequence + 1 }, 1);
    if (page === null) return undefined;
    const last = page.messages.at(-1);
    return last?.sequence === sequence ? last.body : null;
  }

  #fillQuotes(sequence: number): void {
    const text = this.#quoted(sequence);
    if (text === null) return;
    this.#rows.fillQuotes(sequence, text);
    if (this.#following) this.#toEnd();
  }

  #remove(holds: (entry: Message) => boolean): void {
    for (const entry of this.#shown()) if (holds(entry)) entry.removed = true;
    this.#rows.removeTexts();
  }

  /** A held message that a moderator has approved comes under the same id, or without one and with the same text. */
  #removeHeld(body: Written): void {
    if (body.user !== this.events.user()) return;
    const isSame = (held: Written): boolean => (body.id ? held.id === body.id : 'text' in held && 'text' in body && held.text === body.text);
    const is = (entry: Entry): boolean => entry.kind === 'message' && entry.held !== null && isSame(entry.body);
    for (const part of [this.#ring, this.#pending, this.#rows]) part.remove(is);
  }

  #reveal(sequence: number): boolean {
    const row = this.#rows.find(sequence);
    if (!row) return false;
    this.#following = false;
    row.scrollIntoView({ block: 'center' });
    row.classList.remove('found');
    requestAnimationFrame(() => row.classList.add('found'));
    const button = row.querySelector<HTMLElement>('.more');
    button?.focus({ preventScroll: true });
    return true;
  }

  #toEnd(): void {
    this.root.scrollTop = this.root.scrollHeight;
    this.#followedPx = this.root.scrollTop;
  }

  #scrolled(): void {
    const { scrollTop, scrollHeight, clientHeight } = this.root;
    const belowPx = scrollHeight - scrollTop - clientHeight;
    const first = this.#rows.sequences[0];
    if (scrollTop < SOON_PX && scrollHeight > clientHeight && !(this.#following && belowPx < NEAR_PX) && first !== undefined) void this.#older(first);
    if (!this.#attached && belowPx < SOON_PX) void this.#newer();
    const follows = this.#attached && belowPx < NEAR_PX;
    if (follows === this.#following) return;
    this.#following = follows;
    if (follows) this.#unread = 0;
    this.#label();
  }

  #label(): void {
    this.newer.hidden = this.#following;
    const words = this.#unread > 0 ? t('newer', { count: count(this.#unread) }) : t('backToNow');
    this.newer.replaceChildren(icon('down'), element('span', '', words));
  }
}

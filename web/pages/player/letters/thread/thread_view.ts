// A conversation: its items, and the box below them.

import { type Medium } from '@barrage/client';
import { element } from '@barrage/ui/dom.ts';
import { type Conversation, type Item, type Letter, type Undelivered } from '@barrage/client/inbox';
import { type Desk, type Thread, type View } from '../desk.ts';
import { liveOf } from '../list/row.ts';
import { count, isolated, t } from '../texts/i18n.ts';
import { lineOf, whyOf } from '../texts/words.ts';
import { Banner } from './banner.ts';
import { entriesOf, Rows } from './entries.ts';
import { History } from './history.ts';
import { LetterBox } from './letter_box.ts';
import { openItemMenu, openThreadMenu, quoteOf } from './menus.ts';
import { Outbox, poster } from './outbox.ts';

/** Distance to the end within which the view follows new items. */
const NEAR_PX = 60;
/** Distance to the beginning at which older items are read. */
const OLDER_PX = 160;

export class ThreadView implements View {
  readonly node = element('div', 'letters-view thread');
  #scroll = element('div', 'letter-scroll');
  #list = element('ol', 'letter-list');
  #rows = new Rows(this.#list);
  #newest = element('button', 'newer');
  #banner: Banner;
  #box: LetterBox;
  #history: History;
  #outbox: Outbox;
  #enders: (() => void)[];
  #conversation: string | null;
  #user: string | null;
  #readBefore: number | null = null;
  /** Position up to which this view has read. */
  #readTo = 0;
  #isFollowing = true;
  #missed = 0;

  constructor(
    private readonly desk: Desk,
    thread: Thread,
  ) {
    const { inbox, names } = desk;
    this.#user = 'user' in thread ? thread.user : null;
    this.#conversation = 'user' in thread ? null : thread.conversation;
    const row = this.row;
    if (row && row.unread > 0) this.#readBefore = row.read;
    if (row?.marked) void inbox.see(row.conversation, { marked: false });
    this.#history = new History(inbox, names, () => this.row, () => this.#show());
    this.#outbox = new Outbox(poster(inbox, () => ({ conversation: this.row?.conversation ?? null, user: this.#user })), () => this.#show());
    const key = this.#user ?? this.#conversation ?? '';
    this.#box = new LetterBox(t('write', { name: this.title() }), desk.drafts.get(key) ?? '', {
      send: (letter, medium) => void this.#send(letter, medium),
      draft: (text) => desk.drafts.set(key, text),
      attachment: desk.attachment,
    });
    this.#banner = new Banner(desk);
    this.#build();
    const shown = (): void => this.#read();
    document.addEventListener('visibilitychange', shown);
    this.#enders = [
      inbox.on('items', ({ conversation, items }) => conversation === this.row?.conversation && this.#arrived(items)),
      inbox.on('hidden', (places) => {
        for (const { conversation, position } of places) if (conversation === this.row?.conversation) this.#history.hide(position);
      }),
      inbox.on('undelivered', (letter: Undelivered) => this.#outbox.undelivered(letter)),
      () => document.removeEventListener('visibilitychange', shown),
    ];
    this.#show();
    void this.#begin();
  }

  /** The conversation as the inbox has it; null before the first letter to a user. */
  get row(): Conversation | null {
    const rows = this.desk.inbox.conversations;
    const found = rows.find(({ conversation, peer }) => (this.#conversation === null ? peer === this.#user : conversation === this.#conversation));
    return found ?? null;
  }

  title(): string {
    return this.row ? this.desk.names.title(this.row) : this.#user === null ? '' : this.desk.names.of(this.#user);
  }

  subtitle(): string {
    const { row } = this;
    if (row?.kind !== 'group') return '';
    const members = row.members === undefined ? t('group') : t('members', { count: count(row.members) });
    return [members, liveOf(row, this.desk)].filter((words) => words !== null).join(' · ');
  }

  get menu(): ((from: HTMLElement) => void) | null {
    return (from) => this.row && openThreadMenu(this.row, this.desk, from);
  }

  update(): void {
    this.#history.update();
  }

  focus(): void {
    if (this.#box.node.hidden) this.#list.focus();
    else this.#box.focus();
  }

  close(): void {
    for (const end of this.#enders) end();
    this.#box.close();
  }

  #build(): void {
    this.#list.tabIndex = 0;
    this.#list.setAttribute('aria-label', t('items', { name: isolated(this.title()) }));
    this.#newest.type = 'button';
    this.#newest.hidden = true;
    this.#scroll.append(this.#list);
    this.node.append(this.#scroll, this.#newest, this.#banner.node, this.#box.node);
    this.#newest.addEventListener('click', () => void this.#toNewest());
    this.#scroll.addEventListener('scroll', () => this.#scrolled(), { passive: true });
    this.#list.addEventListener('keydown', (event) => this.#move(event));
    this.#list.addEventListener('click', (event) => {
      const more = (event.target as Element).closest<HTMLElement>('.letter-more');
      if (more) this.#openMenu(event, more);
    });
    this.#list.addEventListener('contextmenu', (event) => {
      // A selected text keeps the menu of the browser.
      if (getSelection()?.isCollapsed ?? true) this.#openMenu(event, this.#list, { x: event.clientX, y: event.clientY });
    });
  }

  async #begin(): Promise<void> {
    await this.#history.newest();
    // A few items do not fill the view: nobody could scroll to older ones.
    while (!this.#history.isWhole && this.node.isConnected && this.#scroll.scrollHeight <= this.#scroll.clientHeight) {
      const before = this.#history.items.length;
      await this.#history.older();
      if (this.#history.items.length === before) break;
    }
    // A reader may have scrolled while older items were loaded.
    if (this.#isFollowing) this.#toEnd();
  }

  async #send(letter: Letter, medium: Medium | null): Promise<void> {
    if (this.#outbox.isFull) return this.desk.say(t('refused_overloaded'));
    this.#isFollowing = true;
    const written = await this.#outbox.send(letter, medium);
    if (written.kind === 'refused') return this.desk.say(t('failed', { why: whyOf(written) }));
    this.#conversation ??= written.conversation;
    this.desk.wrote();
  }

  #arrived(items: readonly Item[]): void {
    for (const { id } of items) if (id !== undefined) this.#outbox.arrived(id);
    const others = items.filter(({ sender, recalls }) => sender !== this.desk.inbox.user && recalls === undefined);
    if (!this.#isFollowing) this.#missed += others.length;
    this.#history.arrived(items);
    const last = others.at(-1);
    if (last) this.desk.say(t('of', { name: this.desk.names.of(last.sender), text: lineOf(last) }));
  }

  /** Shows the items and letters, and stays where the reader is. */
  #show(): void {
    const { names, inbox } = this.desk;
    const { row } = this;
    const heightBefore = this.#scroll.scrollHeight;
    const firstBefore = this.#list.querySelector<HTMLElement>('[data-position]')?.dataset['position'];
    const place = { conversation: row?.conversation ?? null, isGroup: row?.kind === 'group', isRequest: row?.folder === 'request' };
    const context = { names, user: inbox.user, ...place, quoted: (position: number) => this.#quoted(position) };
    const { items, isWhole, isAtEnd } = this.#history;
    const shown = { row, items, outgoing: isAtEnd ? this.#outbox.letters : [], isWhole, readBefore: this.#readBefore };
    this.#rows.show(entriesOf(shown, context, { again: (id) => this.#again(id), discard: (id) => this.#outbox.discard(id) }));
    const first = this.#list.querySelector<HTMLElement>('[data-position]')?.dataset['position'];
    if (this.#isFollowing && isAtEnd) this.#toEnd();
    else if (Number(first) < Number(firstBefore)) this.#scroll.scrollTop += this.#scroll.scrollHeight - heightBefore;
    this.#banner.show(row, this.#user);
    this.#box.node.hidden = this.#banner.closes;
    this.#sayMissed();
    this.#read();
  }

  #quoted(position: number): string | null {
    const item = this.#history.find(position);
    return item ? t('of', { name: isolated(this.desk.names.of(item.sender)), text: isolated(lineOf(item)) }) : null;
  }

  #again(id: string): void {
    const known = this.#outbox.letters.find((one) => one.id === id);
    if (known) void this.#outbox.send(known.letter, known.medium, id);
  }

  async #toNewest(): Promise<void> {
    this.#isFollowing = true;
    if (!this.#history.isAtEnd) await this.#history.newest();
    this.#toEnd();
    this.#box.focus();
  }

  #toEnd(): void {
    this.#scroll.scrollTop = this.#scroll.scrollHeight;
    this.#missed = 0;
    this.#sayMissed();
    this.#read();
  }

  #scrolled(): void {
    const { scrollTop, scrollHeight, clientHeight } = this.#scroll;
    this.#isFollowing = scrollHeight - scrollTop - clientHeight < NEAR_PX;
    if (scrollTop < OLDER_PX) void this.#history.older();
    if (this.#isFollowing && !this.#history.isAtEnd) void this.#toNewest();
    if (this.#isFollowing) this.#missed = 0;
    this.#sayMissed();
    this.#read();
  }

  #sayMissed(): void {
    this.#newest.hidden = this.#isFollowing;
    this.#newest.textContent = this.#missed > 0 ? t('newItems', { count: count(this.#missed) }) : t('newest');
  }

  /** Reads up to the newest item while the reader sees it. Who wrote a request does not learn of it. */
  #read(): void {
    const { row } = this;
    if (!row || row.folder === 'request' || document.hidden || !this.#isFollowing || !this.node.isConnected) return;
    const last = this.#history.items.at(-1)?.position ?? 0;
    if (!this.#history.isAtEnd || last < row.head || last <= this.#readTo) return;
    this.#readTo = last;
    this.desk.inbox.read(row.conversation, last);
  }

  #openMenu(event: MouseEvent, from: HTMLElement, point?: { x: number; y: number }): void {
    const at = Number((event.target as Element).closest<HTMLElement>('[data-position]')?.dataset['position']);
    const item = this.#history.find(at);
    const { row } = this;
    if (!item || !row) return;
    event.preventDefault();
    openItemMenu(item, row, this.desk, { reply: () => this.#box.replyTo(item.position, quoteOf(item, this.desk)) }, from, point);
  }

  /** Arrow keys go from item to item, and to its picture; up from the list itself goes to the newest. */
  #move(event: KeyboardEvent): void {
    if (event.key !== 'ArrowUp' && event.key !== 'ArrowDown') return;
    const all = [...this.#list.querySelectorAll<HTMLElement>('.letter-more, .picture, .file-box')];
    const at = all.indexOf(document.activeElement as HTMLElement);
    const to = at < 0 ? (event.key === 'ArrowUp' ? all.length - 1 : -1) : at + (event.key === 'ArrowUp' ? -1 : 1);
    const next = to < 0 ? undefined : all[to];
    if (!next) return;
    event.preventDefault();
    next.focus();
  }
}

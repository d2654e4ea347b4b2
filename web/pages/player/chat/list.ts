// The chat list: keeps a bounded number of rows, and follows the newest row until the reader scrolls
// up. In a flood of messages screen readers do not read the list; `Spoken` then announces gifts,
// super chats and the page's own sentences.

import { cssColor, element, icon } from '@barrage/ui/dom.ts';
import { nextFrame } from '@barrage/ui/frames.ts';
import { giftIcon, money } from '../page/gifts.ts';
import { count, inLanguage, isolated, type Key, locale, roleKey, say, t } from '../page/i18n.ts';
import { piecesOf } from './emotes.ts';
import { type Attrs, type Body, type Chat, type EmoteRange, type Gift, type SuperChat } from '@barrage/client';
import { Spoken } from './spoken.ts';

/** Rows in the list. The oldest is removed first. */
const ROWS_MAX = 200;
/** Rows that wait for the next frame. The oldest is skipped: nobody could have read it. */
const PENDING_MAX = ROWS_MAX;
/** A reader this near to the end reads the newest rows. */
const NEAR_PX = 48;
/** Rows in a second above which screen readers do not read the list. */
const SPOKEN_PER_SECOND_MAX = 6;
/** Above that rate the list changes only this often, because layout and paint of a long list cost time. */
const FLOOD_FLUSH_MS = 200;

export class List {
  #pending: HTMLElement[] = [];
  #following = true;
  #unread = 0;
  #leftOut: { node: HTMLElement; count: number } | null = null;
  #second = 0;
  #inSecond = 0;
  #flushedMs = -Infinity;
  /** Where the last flush left a list that follows its newest row. */
  #followedPx = 0;

  constructor(
    private readonly root: HTMLElement,
    private readonly log: HTMLElement,
    private readonly newer: HTMLButtonElement,
    private readonly spoken: Spoken,
  ) {
    root.addEventListener('scroll', () => this.#scrolled(), { passive: true });
    newer.addEventListener('click', () => this.#follow());
    inLanguage(() => this.#label());
  }

  add(body: Body, sequence: number | null, origin: 'own' | 'other'): void {
    const row = rowOf(body);
    if (!row) return;
    if (sequence !== null) row.dataset['sequence'] = String(sequence);
    if ('user' in body && body.user !== undefined) row.dataset['user'] = body.user;
    row.dataset['id'] = 'id' in body ? body.id : '';
    row.classList.add(origin);
    this.#push(row);
    if (this.#silent && (body.type === 'gift' || body.type === 'super_chat')) this.spoken.money(body);
  }

  /** Adds a sentence of the page itself. */
  say(key: Key, values: Record<string, string | number> = {}): void {
    const row = element('li', 'row note');
    say(row, key, values);
    this.#push(row);
    if (this.#silent) this.spoken.say(t(key, values));
  }

  /** Adds a sentence of the server. */
  quote(text: string): void {
    const row = element('li', 'row note', text);
    row.dir = 'auto';
    this.#push(row);
  }

  /** Adds to the number of messages that are not shown. Consecutive numbers share one row. */
  leftOut(more: number): void {
    const last = this.#pending.at(-1) ?? this.root.lastElementChild;
    if (this.#leftOut && last === this.#leftOut.node) {
      this.#leftOut.count += more;
      say(this.#leftOut.node, 'leftOut', { count: count(this.#leftOut.count) });
      return;
    }
    const node = element('li', 'row note');
    say(node, 'leftOut', { count: count(more) });
    this.#leftOut = { node, count: more };
    this.#push(node);
  }

  recall(sequence: number): void {
    const rows = [...this.#pending, ...this.root.querySelectorAll<HTMLElement>('[data-sequence]')];
    const row = rows.find((one) => one.dataset['sequence'] === String(sequence));
    if (!row) return;
    row.className = 'row note';
    say(row, 'recalled');
  }

  /** Takes the text from the rows of a user. */
  purge(user: string): void {
    const rows = [...this.#pending, ...this.root.querySelectorAll<HTMLElement>('[data-user]')];
    for (const row of rows.filter((one) => one.dataset['user'] === user)) {
      delete row.dataset['user'];
      row.className = 'row note';
      say(row, 'recalled');
    }
  }

  /** Removes every row. */
  clear(): void {
    this.#pending = [];
    this.#leftOut = null;
    this.root.replaceChildren();
    this.#following = true;
    this.#unread = 0;
    this.#label();
  }

  #push(row: HTMLElement): void {
    this.#pending.push(row);
    if (this.#pending.length > PENDING_MAX) this.#pending.shift();
    nextFrame(this.#flush);
  }

  #flush = (): void => {
    const nowMs = performance.now();
    if (this.#silent && nowMs - this.#flushedMs < FLOOD_FLUSH_MS) return nextFrame(this.#flush);
    this.#flushedMs = nowMs;
    const rows = this.#pending;
    this.#pending = [];
    this.#spareReader(rows.length);
    // The scroll event of a reader who has just scrolled up may come after this flush.
    if (this.#following && this.root.scrollTop < this.#followedPx - 1) this.#scrolled();
    this.root.append(...rows);
    if (this.#following) {
      this.#prune();
      this.root.scrollTop = this.root.scrollHeight;
      this.#followedPx = this.root.scrollTop;
    } else {
      // Rows above the reader are removed only at twice the limit, so that the text moves less.
      if (this.root.childElementCount > ROWS_MAX * 2) this.#prune();
      this.#unread += rows.length;
      this.#label();
    }
  };

  #prune(): void {
    while (this.root.childElementCount > ROWS_MAX) this.root.firstElementChild?.remove();
  }

  #spareReader(rows: number): void {
    const second = Math.floor(performance.now() / 1000);
    if (second !== this.#second) {
      this.#second = second;
      this.#inSecond = 0;
    }
    this.#inSecond += rows;
    const live = this.#inSecond > SPOKEN_PER_SECOND_MAX ? 'off' : 'polite';
    if (this.log.getAttribute('aria-live') !== live) this.log.setAttribute('aria-live', live);
  }

  get #silent(): boolean {
    return this.log.getAttribute('aria-live') === 'off';
  }

  #scrolled(): void {
    const near = this.root.scrollHeight - this.root.scrollTop - this.root.clientHeight < NEAR_PX;
    if (near === this.#following) return;
    this.#following = near;
    if (near) this.#unread = 0;
    this.#label();
  }

  #follow(): void {
    this.#following = true;
    this.#unread = 0;
    this.root.scrollTop = this.root.scrollHeight;
    this.#label();
    this.root.focus();
  }

  #label(): void {
    this.newer.hidden = this.#following || this.#unread === 0;
    this.newer.replaceChildren(icon('down'), t('newer', { count: count(this.#unread) }));
  }
}

function rowOf(body: Body): HTMLElement | null {
  switch (body.type) {
    case 'chat':
      return chatRow(body);
    case 'gift':
      return giftRow(body);
    case 'super_chat':
      return superRow(body);
    case 'signal':
    case 'event':
      return null;
  }
}

/** Creates the name with the label of its role; both stay on one line. */
function nameOf({ name, user, attrs, role = '' }: { name: string; user: string; attrs?: Attrs; role?: string }): HTMLElement {
  const shown = element('bdi', 'who', name);
  shown.style.setProperty('--hue', String(attrs?.color === undefined ? hueOf(user + name) : hueOfColor(attrs.color)));
  const badges = badgesOf(attrs);
  const key = roleKey(role);
  if (!key) return element('b', 'from', ...badges, shown, ' ');
  const label = element('span', `role ${key}`);
  say(label, key);
  shown.classList.add(key);
  return element('b', 'from', label, ' ', ...badges, shown, ' ');
}

/** Creates a label for each badge and for the level. The page has no images for a platform's badges. */
function badgesOf(attrs: Attrs | undefined): (Node | string)[] {
  const labels = attrs?.badges.map((badge) => badge.replace('/', ' ')) ?? [];
  if (attrs?.level !== undefined) labels.push(`Lv ${attrs.level}`);
  return labels.flatMap((label) => [element('span', 'badge', label), ' ']);
}

function wordsOf(text: string, emotes: readonly EmoteRange[] = []): HTMLElement {
  const words = element('span', 'words', ...piecesOf(text, emotes));
  words.dir = 'auto';
  return words;
}

function chatRow(chat: Chat): HTMLElement {
  const words = wordsOf(chat.text, chat.emotes);
  if (chat.reply_to) {
    const reply = element('bdi', 'reply', `↩ ${chat.reply_to.name}`);
    reply.dataset['to'] = String(chat.reply_to.sequence);
    words.prepend(reply, ' ');
  }
  if (chat.style.color !== 0xffffff) {
    const dot = element('i', 'dot');
    dot.style.background = cssColor(chat.style.color);
    words.prepend(dot);
  }
  return element('li', 'row chat', nameOf(chat), words);
}

function giftRow(gift: Gift): HTMLElement {
  const what = element('span', 'words');
  say(what, 'sentGift', { gift: isolated(gift.gift.name) });
  const times = element('strong', 'times', `×${count(gift.gift.count)}`);
  const row = element('li', 'row gift', icon(giftIcon(gift.gift.name)), nameOf(gift), what, ' ', times);
  row.dataset['gift'] = gift.gift.name;
  return row;
}

function superRow(chat: SuperChat): HTMLElement {
  const amount = element('strong', 'amount', money(chat.amount_minor, chat.currency, locale()));
  const head = element('span', 'head', nameOf(chat), amount);
  return element('li', 'row super', head, wordsOf(chat.text, chat.emotes));
}

/** Returns the hue of a color. Its lightness is the page's own, so that every name can be read. */
function hueOfColor(rgb: number): number {
  const [red, green, blue] = [rgb >> 16, (rgb >> 8) & 255, rgb & 255];
  const hue = Math.atan2(Math.sqrt(3) * (green - blue), 2 * red - green - blue) * (180 / Math.PI);
  return Math.round((hue + 360) % 360);
}

/** Returns the hue of a sender, which is the same in all messages. */
function hueOf(who: string): number {
  // FNV-1a, then the golden angle, which gives similar hashes different hues.
  let hash = 0x811c9dc5;
  for (const character of who) hash = Math.imul(hash ^ (character.codePointAt(0) ?? 0), 0x01000193) >>> 0;
  return Math.round((hash % 1_024) * 137.508) % 360;
}

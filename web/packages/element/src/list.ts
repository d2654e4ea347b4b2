// The list of the element: bounded, follows the newest row until its reader scrolls up.

import { type Written } from '@barrage/client';
import { make } from './dom.ts';
import { gave, type Language, text } from './texts.ts';

/** Rows in the list; the oldest is removed first. */
const ROWS_MAX = 150;
/** A reader this near to the end reads the newest rows. */
const NEAR_PX = 40;

export class List {
  readonly root = make('div', 'list');
  readonly newer = make('button', 'newer');
  #pending: HTMLElement[] = [];
  #following = true;

  constructor(private readonly language: Language) {
    this.root.tabIndex = 0;
    this.root.setAttribute('role', 'log');
    this.root.setAttribute('aria-label', text(language, 'chat'));
    this.root.dataset['empty'] = text(language, 'empty');
    this.newer.type = 'button';
    this.newer.hidden = true;
    this.newer.textContent = text(language, 'newer');
    this.newer.addEventListener('click', () => this.#follow());
    this.root.addEventListener('scroll', () => this.#scrolled(), { passive: true });
  }

  /** Adds a message; `isOwn` when the viewer wrote it. */
  add(body: Written, sequence: number | null, isOwn: boolean): void {
    const row = rowOf(body, this.language);
    row.classList.toggle('own', isOwn);
    row.dataset['user'] = body.user;
    if (sequence !== null) row.dataset['sequence'] = String(sequence);
    this.#push(row);
  }

  /** Adds a sentence of the element itself, or of the platform. */
  say(words: string): void {
    const row = make('div', 'row note', words);
    row.dir = 'auto';
    this.#push(row);
  }

  recall(sequence: number): void {
    this.#remove((row) => row.dataset['sequence'] === String(sequence));
  }

  /** Removes what a user wrote; null removes all rows. */
  purge(user: string | null): void {
    this.#remove((row) => user === null || row.dataset['user'] === user);
  }

  #push(row: HTMLElement): void {
    if (this.#pending.length === 0) requestAnimationFrame(this.#flush);
    this.#pending.push(row);
    if (this.#pending.length > ROWS_MAX) this.#skip();
  }

  /**
   * Skips the oldest chat of others that waits for a frame; gifts, super chats, own messages and sentences only when
   * nothing else waits.
   */
  #skip(): void {
    const chat = this.#pending.findIndex((row) => row.matches('.chat:not(.own)'));
    this.#pending.splice(Math.max(chat, 0), 1);
  }

  #flush = (): void => {
    this.root.append(...this.#pending.splice(0));
    // Rows above a reader are removed at twice the limit only, so that the text moves less.
    const max = this.#following ? ROWS_MAX : ROWS_MAX * 2;
    while (this.root.childElementCount > max) this.root.firstElementChild?.remove();
    if (this.#following) this.root.scrollTop = this.root.scrollHeight;
    this.newer.hidden = this.#following;
  };

  #scrolled(): void {
    this.#following = this.root.scrollHeight - this.root.scrollTop - this.root.clientHeight < NEAR_PX;
    if (this.#following) this.newer.hidden = true;
  }

  #follow(): void {
    this.#following = true;
    this.newer.hidden = true;
    this.root.scrollTop = this.root.scrollHeight;
  }

  #remove(isGone: (row: HTMLElement) => boolean): void {
    this.#pending = this.#pending.filter((row) => !isGone(row));
    for (const row of [...this.root.children] as HTMLElement[]) if (isGone(row)) row.remove();
  }
}

function rowOf(body: Written, language: Language): HTMLElement {
  const name = make('bdi', 'name', body.name);
  name.style.setProperty('--hue', String(hueOf(body.user)));
  switch (body.type) {
    case 'chat': {
      const words = make('span', 'words', body.media ? `${body.text} 🖼`.trim() : body.text);
      words.dir = 'auto';
      return make('div', 'row chat', ...badgesOf(body.role ?? '', body.attrs?.badges ?? [], language), name, words);
    }
    case 'gift': {
      const times = body.gift.count > 1 ? ` ×${body.gift.count}` : '';
      return make('div', 'row gift', name, make('span', 'words', `${gave(language, body.gift.name)}${times}`));
    }
    case 'super_chat': {
      const words = make('span', 'words', body.text);
      words.dir = 'auto';
      return make('div', 'row super', name, make('span', 'amount', money(body.amount_minor, body.currency, language)), words);
    }
  }
}

function badgesOf(role: string, badges: readonly string[], language: Language): Node[] {
  const named = role === 'host' || role === 'moderator' || role === 'admin';
  const roles = named ? [make('span', `badge ${role}`, text(language, role))] : [];
  return [...roles, ...badges.map((badge) => make('span', 'badge', badge.replace('/', ' ')))];
}

/** Returns the hue of a name, which is the same in all messages of a user. */
function hueOf(user: string): number {
  let hash = 0x811c9dc5;
  for (const character of user) hash = Math.imul(hash ^ (character.codePointAt(0) ?? 0), 0x01000193) >>> 0;
  return hash % 360;
}

function money(amountMinor: number, currency: string, language: Language): string {
  try {
    const format = new Intl.NumberFormat(language, { style: 'currency', currency, currencyDisplay: 'narrowSymbol' });
    return format.format(amountMinor / 10 ** (format.resolvedOptions().maximumFractionDigits ?? 2));
  } catch {
    return `${currency} ${amountMinor}`;
  }
}

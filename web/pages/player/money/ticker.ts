// Super chats that stay on top: a row of chips above the list, the highest tier first. A chip shows its
// text when it is opened, and leaves when its time is over.

import { byId, element } from '@barrage/ui/dom.ts';
import { type OpenSuperChat, type SuperChat } from '@barrage/client';
import { money } from '../page/gifts.ts';
import { inLanguage, locale, t } from '../page/i18n.ts';
import { paint, tierOf, topSecsOf } from './tiers.ts';

/** Chips at once. The one that ends first is removed. */
const CHIPS_MAX = 30;
/** How often chips get shorter. */
const EVERY_MS = 1_000;

interface Chip {
  chat: SuperChat;
  sequence: number;
  tier: number;
  fromMs: number;
  untilMs: number;
}

export interface TickerEvents {
  /** Whether the viewer wants to see a super chat. */
  shows(chat: SuperChat): boolean;
}

export class Ticker {
  #place = byId('ticker');
  #open = byId('ticker-open');
  #chips = new Map<string, Chip>();
  #opened: string | null = null;
  /** Whether the server keeps super chats on top. */
  #hasState = false;
  #timer: number | undefined;

  constructor(private readonly events: TickerEvents) {
    this.#place.addEventListener('click', (event) => {
      const id = (event.target as Element).closest<HTMLElement>('.sc')?.dataset['id'];
      if (id === undefined) return;
      this.#opened = this.#opened === id ? null : id;
      this.#write();
    });
    inLanguage(() => this.#write());
  }

  /** Shows the super chats that are on top by the state of the room, which knows all of them. */
  set(open: readonly OpenSuperChat[]): void {
    this.#hasState ||= open.length > 0;
    if (!this.#hasState) return;
    this.#chips.clear();
    for (const { body, sequence, until_ms: untilMs } of open) this.#put(body, sequence, untilMs);
    this.#write();
  }

  /** Adds a super chat of a server that keeps none on top: the page then does, by the amount. */
  add(chat: SuperChat, sequence: number): void {
    if (this.#hasState || chat.tier) return;
    this.#put(chat, sequence, (chat.at_ms || Date.now()) + topSecsOf(chat) * 1000);
    this.#write();
  }

  #put(chat: SuperChat, sequence: number, untilMs: number): void {
    if (untilMs <= Date.now() || !this.events.shows(chat)) return;
    const fromMs = Math.min(chat.at_ms || Date.now(), Date.now());
    this.#chips.set(String(sequence), { chat, sequence, tier: tierOf(chat), fromMs, untilMs });
  }

  recall(sequence: number): void {
    this.#remove((chip) => chip.sequence === sequence);
  }

  /** Removes the super chats of a user, or all. */
  hide(user: string | null): void {
    this.#remove((chip) => user === null || chip.chat.user === user);
  }

  /** Removes what the viewer no longer wants to see. */
  filter(): void {
    this.#remove((chip) => !this.events.shows(chip.chat));
  }

  #remove(holds: (chip: Chip) => boolean): void {
    for (const [id, chip] of this.#chips) if (holds(chip)) this.#chips.delete(id);
    this.#write();
  }

  #sorted(): [string, Chip][] {
    const nowMs = Date.now();
    for (const [id, chip] of this.#chips) if (chip.untilMs <= nowMs) this.#chips.delete(id);
    const sorted = [...this.#chips].sort(([, a], [, b]) => b.tier - a.tier || b.untilMs - a.untilMs);
    for (const [id] of sorted.slice(CHIPS_MAX)) this.#chips.delete(id);
    return sorted.slice(0, CHIPS_MAX);
  }

  #write = (): void => {
    clearTimeout(this.#timer);
    const sorted = this.#sorted();
    this.#place.hidden = sorted.length === 0;
    const known = new Map([...this.#place.querySelectorAll<HTMLElement>('.sc')].map((node) => [node.dataset['id'] ?? '', node]));
    const nodes = sorted.map(([id, chip]) => this.#chip(id, chip, known.get(id)));
    for (const [at, node] of nodes.entries()) if (this.#place.children[at] !== node) this.#place.insertBefore(node, this.#place.children[at] ?? null);
    while (this.#place.childElementCount > nodes.length) this.#place.lastElementChild?.remove();
    this.#writeOpen();
    if (sorted.length > 0) this.#timer = setTimeout(this.#write, EVERY_MS);
  };

  #chip(id: string, chip: Chip, known: HTMLElement | undefined): HTMLElement {
    const node = known ?? element('button', 'sc', element('i', 'sc-left'), element('span', 'hidden sc-kind'), ' ', element('bdi', 'sc-who'), ' ', element('b', 'sc-amount'));
    const amount = money(chip.chat.amount_minor, chip.chat.currency, locale());
    node.setAttribute('type', 'button');
    node.dataset['id'] = id;
    paint(node, chip.chat);
    write(node.querySelector('.sc-who'), chip.chat.name);
    write(node.querySelector('.sc-amount'), amount);
    write(node.querySelector('.sc-kind'), t('superChat'));
    node.setAttribute('aria-expanded', String(this.#opened === id));
    const left = (chip.untilMs - Date.now()) / Math.max(1, chip.untilMs - chip.fromMs);
    node.style.setProperty('--left', Math.min(1, Math.max(0, left)).toFixed(3));
    return node;
  }

  #writeOpen(): void {
    const chip = this.#opened === null ? undefined : this.#chips.get(this.#opened);
    this.#open.hidden = chip === undefined;
    if (!chip) {
      this.#opened = null;
      return;
    }
    paint(this.#open, chip.chat);
    write(this.#open, chip.chat.text);
  }
}

/** Writes only what has changed, so that the page lays nothing out again each second. */
function write(node: Element | null, words: string): void {
  if (node && node.textContent !== words) node.textContent = words;
}

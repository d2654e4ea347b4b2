// What a conversation shows, row by row: days, items with their runs, the line above unread items, and letters that
// were not sent yet. A row keeps its node while nothing of it changes.

import { type Conversation, type Item } from '@barrage/client/inbox';
import { t } from '../texts/i18n.ts';
import { dayNumber } from '../texts/words.ts';
import { dayRow, type ItemContext, itemRow, noteRow, outgoingRow } from './item_row.ts';
import { type Outgoing } from './outbox.ts';

/** Items of one sender within this time are one run. */
const RUN_MS = 300_000;

/** A row with its key in the list, and a text that differs when the row looks different. */
export interface Entry {
  key: string;
  look: string;
  make(): HTMLElement;
}

export interface Shown {
  row: Conversation | null;
  items: readonly Item[];
  outgoing: readonly Outgoing[];
  /** The run begins with the first item of the conversation. */
  isWhole: boolean;
  /** Position up to which the user had read when the view was opened; null where nothing was unread. */
  readBefore: number | null;
}

export interface Acts {
  again(id: string): void;
  discard(id: string): void;
}

/** Returns the rows, oldest first. */
export function entriesOf(shown: Shown, context: ItemContext, acts: Acts): Entry[] {
  const { row, outgoing, isWhole, readBefore } = shown;
  const entries: Entry[] = isWhole && row !== null ? [{ key: 'beginning', look: '', make: () => noteRow(t('beginning')) }] : [];
  const items = shown.items.filter(({ recalls }) => recalls === undefined);
  const lastOwn = row?.kind === 'direct' ? items.filter(({ sender, recalled }) => sender === context.user && !recalled).at(-1) : undefined;
  let isDivided = readBefore === null;
  for (const [at, item] of items.entries()) {
    const before = items[at - 1];
    const newDay = !before || dayNumber(before.at_ms) !== dayNumber(item.at_ms);
    if (newDay) entries.push({ key: `day-${dayNumber(item.at_ms)}`, look: '', make: () => dayRow(item.at_ms) });
    if (!isDivided && item.position > readBefore! && item.sender !== context.user) {
      isDivided = true;
      entries.push({ key: 'unread', look: '', make: () => noteRow(t('unreadFromHere'), 'letter-day unread-line') });
    }
    const begins = newDay || before!.sender !== item.sender || before!.recalled === true || item.at_ms - before!.at_ms > RUN_MS;
    const receipt = item === lastOwn ? t((row?.peer_read ?? 0) >= item.position ? 'read' : 'sent') : '';
    const quote = typeof item.body?.['reply_to'] === 'number' ? context.quoted(item.body['reply_to']) : null;
    const isRemoved = item.body?.['media'] === null;
    const look = [item.recalled === true, begins, receipt, context.names.of(item.sender), context.isGroup ? context.names.avatar(item.sender) : '', quote, isRemoved, context.isRequest].join('\0');
    entries.push({ key: `item-${item.position}`, look, make: () => itemRow(item, { begins, receipt }, context) });
  }
  for (const one of outgoing) entries.push({ key: `out-${one.id}`, look: one.state + one.why, make: () => outgoingRow(one, acts) });
  return entries;
}

/** Makes a list show the entries, with the nodes that it has where they look the same. */
export class Rows {
  #known = new Map<string, { look: string; node: HTMLElement }>();

  constructor(private readonly list: HTMLElement) {}

  show(entries: readonly Entry[]): void {
    const next = new Map<string, { look: string; node: HTMLElement }>();
    for (const { key, look, make } of entries) {
      const known = this.#known.get(key);
      next.set(key, known?.look === look ? known : { look, node: make() });
    }
    for (const [key, { node }] of this.#known) if (next.get(key)?.node !== node) node.remove();
    let at: ChildNode | null = this.list.firstChild;
    for (const { node } of next.values()) {
      if (node === at) at = at.nextSibling;
      else this.list.insertBefore(node, at);
    }
    this.#known = next;
  }
}

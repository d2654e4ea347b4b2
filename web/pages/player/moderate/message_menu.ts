// The menu on a message: reply, block and report for all; delete, time-out, ban, purge, pin and warn for
// moderators.

import { quotable, type Message } from '../log/entry.ts';
import { type Item, openMenu } from '../page/menu.ts';
import { t } from '../page/i18n.ts';
import { type ReplyTo } from '../compose/draft.ts';
import { type Action } from '@barrage/client';
import { BAN_SECS_MAX, isAtLeast } from './actions.ts';

export interface MenuEvents {
  role(): string | null;
  /** Whether this viewer may write and report. */
  canSend(): boolean;
  reply(to: ReplyTo): void;
  mention(user: string, name: string): void;
  /** Opens the letters with a user; null for a viewer without an inbox. */
  write: ((user: string) => void) | null;
  block(user: string, name: string): void;
  report(message: Message, reason: string): void;
  act(action: Action, name: string): void;
  /** Begins a command in the text box. */
  command(text: string): void;
}

const REASONS = ['reportSpam', 'reportInsult', 'reportIllegal', 'reportOther'] as const;
/** Time-outs that the menu offers, in seconds. */
const TIMEOUTS = [
  ['timeout1', 60],
  ['timeout10', 600],
  ['timeout60', 3_600],
] as const;

export function openMessageMenu(message: Message, events: MenuEvents, from: HTMLElement, point?: { x: number; y: number }): void {
  const { name } = message.body;
  openMenu(t('actionsFor', { name }), [talk(message, events), own(message, events, from), moderate(message, events)], from, point);
}

function talk({ body, sequence }: Message, events: MenuEvents): Item[] {
  const items: Item[] = [];
  if (events.canSend() && sequence !== null && body.type === 'chat') {
    items.push({ words: t('reply'), icon: 'reply', run: () => events.reply({ sequence, name: body.name, text: quotable(body) }) });
  }
  if (events.canSend()) items.push({ words: t('mention'), icon: 'at', run: () => events.mention(body.user, body.name) });
  items.push({ words: t('copy'), icon: 'copy', run: () => void copy(quotable(body)) });
  return items;
}

/** What a viewer does about another one. */
function own(message: Message, events: MenuEvents, from: HTMLElement): Item[] {
  const { body, origin } = message;
  if (origin === 'own') return [];
  const { write } = events;
  const letter: Item[] = write ? [{ words: t('writeLetter'), icon: 'mail', run: () => write(body.user) }] : [];
  const items: Item[] = [...letter, { words: t('block'), icon: 'block', run: () => events.block(body.user, body.name) }];
  if (events.canSend()) items.push({ words: t('report'), icon: 'flag', run: () => askWhy(message, events, from) });
  return items;
}

function askWhy(message: Message, events: MenuEvents, from: HTMLElement): void {
  const reasons = REASONS.map((key): Item => ({ words: t(key), run: () => events.report(message, t(key)) }));
  openMenu(t('reportWhy', { name: message.body.name }), [reasons, [{ words: t('cancel'), run: () => {} }]], from);
}

function moderate({ body, sequence, origin }: Message, events: MenuEvents): Item[] {
  if (!isAtLeast(events.role(), 'moderator')) return [];
  const { user, name } = body;
  const act = (action: Action) => () => events.act(action, name);
  const items: Item[] = [];
  if (sequence !== null) {
    items.push({ words: t('delete'), icon: 'trash', danger: true, run: act({ type: 'recall', sequence }) });
    if (body.type !== 'super_chat') items.push({ words: t('pin'), icon: 'pin', run: act({ type: 'pin', sequence }) });
  }
  if (origin === 'own') return items;
  for (const [key, secs] of TIMEOUTS) items.push({ words: t(key), icon: 'clock', run: act({ type: 'mute', user, secs }) });
  items.push({ words: t('warn'), icon: 'warn', run: () => events.command(`/warn ${user} `) });
  items.push({ words: t('purge'), icon: 'trash', danger: true, run: act({ type: 'purge', user }) });
  items.push({ words: t('ban'), icon: 'block', danger: true, run: act({ type: 'ban', user, secs: BAN_SECS_MAX }) });
  return items;
}

async function copy(text: string): Promise<void> {
  // Forbidden in some frames; the text can still be selected.
  await navigator.clipboard?.writeText(text).catch(() => {});
}

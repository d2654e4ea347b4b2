// A conversation in the list.

import { element } from '@barrage/ui/dom.ts';
import { type Conversation, type Item } from '@barrage/client/inbox';
import { circleOf } from '../../media/avatars.ts';
import { type Desk } from '../desk.ts';
import { count, isolated, t } from '../texts/i18n.ts';
import { lineOf, whenOf } from '../texts/words.ts';

/** Unread items that a badge counts. */
const COUNT_MAX = 99;

/** Returns a number for a badge. */
export function badgeText(unread: number): string {
  return unread > COUNT_MAX ? `${COUNT_MAX}+` : String(unread);
}

/** Returns a circle with the first letter of a name, in a colour that the id decides, and the picture of a user over it. */
export function avatarOf(id: string, name: string, avatar?: string): HTMLElement {
  return circleOf('letter-avatar', name, hueOf(id), avatar);
}

function hueOf(id: string): number {
  let hash = 0;
  for (const char of id) hash = (hash * 31 + char.codePointAt(0)!) % 360;
  return hash;
}

/** Returns the button of a conversation, with all that is known of it. */
export function rowOf(row: Conversation, newest: Item | null, desk: Desk): HTMLElement {
  const name = desk.names.title(row);
  const when = element('time', 'conversation-when', whenOf(row.at_ms, Date.now()));
  const head = element('span', 'conversation-head', element('bdi', 'conversation-name', name), when);
  const signs = element('span', 'conversation-signs', ...signsOf(row));
  const words = element('bdi', 'conversation-words', newest ? previewOf(newest, row, desk) : '');
  const line = element('span', 'conversation-line', words, signs);
  const body = element('span', 'conversation-body', head, line);
  const live = liveOf(row, desk);
  if (live) body.append(element('span', 'conversation-live', live));
  const button = element('button', row.unread > 0 ? 'conversation unread' : 'conversation', avatarOf(row.peer ?? row.conversation, name, row.peer === undefined ? undefined : desk.names.avatar(row.peer)), body);
  button.type = 'button';
  button.dataset['conversation'] = row.conversation;
  return button;
}

/** Returns the sentence about the stream of a group's room, where it is that of this page; null without a stream. */
export function liveOf({ group }: Conversation, { room }: Pick<Desk, 'room'>): string | null {
  if (group?.room !== room.id || !room.isLive()) return null;
  return t('live', { count: count(room.online() ?? 0) });
}

function previewOf(newest: Item, row: Conversation, { inbox, names }: Desk): string {
  const line = lineOf(newest);
  if (newest.sender === inbox.user) return t('you', { text: isolated(line) });
  return row.kind === 'group' ? t('of', { name: isolated(names.of(newest.sender)), text: isolated(line) }) : line;
}

function signsOf({ unread, marked, notify = 'all', pinned }: Conversation): HTMLElement[] {
  const signs: HTMLElement[] = [];
  const sign = (className: string, shown: string, words: string): void => {
    const seen = element('span', className, shown);
    seen.setAttribute('aria-hidden', 'true');
    signs.push(element('span', '', seen, element('span', 'hidden', words)));
  };
  if (pinned) sign('sign', '📌', t('pinned'));
  if (notify !== 'all') sign('sign', '🔕', t('muted'));
  if (unread > 0) sign(notify === 'all' ? 'count' : 'count quiet', badgeText(unread), t('unread', { count: count(unread) }));
  else if (marked) sign('count dot', '', t('markedUnread'));
  return signs;
}

// The menus of a conversation and of an item in it.

import { type Conversation, type Item } from '@barrage/client/inbox';
import { type Item as MenuItem, openMenu } from '../../page/menu.ts';
import { type Desk } from '../desk.ts';
import { isolated, type Key, t } from '../texts/i18n.ts';
import { lineOf, textOf, whyOf } from '../texts/words.ts';

/** Time in which the server takes a recall of an own item. */
const RECALL_MS = 120_000;
const REASONS = ['reportSpam', 'reportInsult', 'reportIllegal', 'reportOther'] as const;

export interface ItemActs {
  reply(item: Item): void;
}

export function openItemMenu(item: Item, row: Conversation, desk: Desk, acts: ItemActs, from: HTMLElement, point?: { x: number; y: number }): void {
  const { inbox } = desk;
  const name = desk.names.of(item.sender);
  const isOwn = item.sender === inbox.user;
  const talk: MenuItem[] = [{ words: t('reply'), icon: 'reply', run: () => acts.reply(item) }];
  if (textOf(item.body) !== '') talk.push({ words: t('copy'), icon: 'copy', run: () => void copy(textOf(item.body)) });
  const change: MenuItem[] = [];
  const recalls = isOwn ? Date.now() - item.at_ms < RECALL_MS : row.role === 'moderator' || row.role === 'owner';
  if (recalls) change.push({ words: t('recall'), icon: 'undo', danger: true, run: () => void done(desk, inbox.recall(row.conversation, item.position)) });
  change.push({ words: t('hide'), icon: 'trash', danger: true, run: () => void done(desk, inbox.hide(row.conversation, item.position)) });
  if (!isOwn) change.push({ words: t('report'), icon: 'flag', run: () => askWhy(item.sender, row, desk, from, item.position) });
  openMenu(t('actionsFor', { name }), [talk, change], from, point);
}

export function openThreadMenu(row: Conversation, desk: Desk, from: HTMLElement): void {
  const { inbox, blocks } = desk;
  const title = desk.names.title(row);
  const see = (key: Key, icon: string, view: Parameters<typeof inbox.see>[1]): MenuItem => ({
    words: t(key),
    icon,
    run: () => void done(desk, inbox.see(row.conversation, view)),
  });
  const views: MenuItem[] = [];
  if (row.folder !== 'request') {
    views.push(row.pinned ? see('unpin', 'pin', { pinned: false }) : see('pin', 'pin', { pinned: true }));
    views.push((row.notify ?? 'all') === 'all' ? see('mute', 'bell-off', { notify: 'none' }) : see('unmute', 'bell', { notify: 'all' }));
    views.push(row.folder === 'archived' ? see('unarchive', 'archive', { folder: 'main' }) : see('archive', 'archive', { folder: 'archived' }));
    views.push({ words: t('markUnread'), icon: 'mail', run: () => void done(desk, inbox.see(row.conversation, { marked: true }), () => desk.back()) });
  }
  const ends: MenuItem[] = [
    { words: t('clear'), icon: 'trash', danger: true, run: () => sure('clearSure', title, 'clearNow', () => done(desk, inbox.clear(row.conversation)), from) },
  ];
  const { peer } = row;
  if (peer !== undefined) {
    ends.push({ words: t('report'), icon: 'flag', run: () => askWhy(peer, row, desk, from) });
    if (blocks.has(peer)) ends.push({ words: t('unblock'), icon: 'block', run: () => void blocks.unblock(peer) });
    else ends.push({ words: t('block'), icon: 'block', danger: true, run: () => sure('blockSure', title, 'blockNow', () => blocks.block(peer), from) });
  } else if (row.left === undefined && row.role !== 'owner') {
    ends.push({ words: t('leave'), icon: 'close', danger: true, run: () => sure('leaveSure', title, 'leaveNow', () => desk.leave(row.conversation), from) });
  }
  openMenu(title, [views, ends], from);
}

/** Asks for the reason of a report, and reports. */
export function askWhy(user: string, row: Conversation, desk: Desk, from: HTMLElement, position?: number): void {
  const report = async (reason: string): Promise<void> => {
    const place = position === undefined ? {} : { position };
    const reported = await desk.inbox.report({ user, conversation: row.conversation, reason, ...place });
    desk.say(reported.kind === 'accepted' ? t('reported') : t('failed', { why: whyOf(reported) }));
  };
  const reasons = REASONS.map((key): MenuItem => ({ words: t(key), run: () => void report(t(key)) }));
  openMenu(t('reportWhy', { name: isolated(desk.names.of(user)) }), [reasons, [{ words: t('cancel'), run: () => {} }]], from);
}

/** Returns the line that a reply shows of the item that it answers. */
export function quoteOf(item: Item, desk: Desk): string {
  return t('replyingTo', { name: isolated(desk.names.of(item.sender)), text: isolated(lineOf(item)) });
}

/** Asks before something that cannot be undone. */
function sure(question: Key, name: string, yes: Key, run: () => unknown, from: HTMLElement): void {
  const words = t(question, { name: isolated(name) });
  openMenu(words, [[{ words: t(yes), danger: true, run: () => void run() }], [{ words: t('cancel'), run: () => {} }]], from);
}

async function done(desk: Desk, change: ReturnType<Desk['inbox']['see']>, then?: () => void): Promise<void> {
  const changed = await change;
  if (changed.kind === 'refused') desk.say(t('failed', { why: whyOf(changed) }));
  else then?.();
}

async function copy(text: string): Promise<void> {
  // Forbidden in some frames; the text can still be selected.
  await navigator.clipboard?.writeText(text).catch(() => {});
}

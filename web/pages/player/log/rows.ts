// Creates the rows of the list. All texts of people become text nodes.

import { badgesOf } from './badges.ts';
import { piecesOf } from '../chat/emotes.ts';
import { type Entry, type Message } from './entry.ts';
import { hueOf, hueOfColor } from './hues.ts';
import { giftIcon, money } from '../page/gifts.ts';
import { count, isolated, locale, roleKey, say, t } from '../page/i18n.ts';
import { avatarPath } from '@barrage/ui/avatar.ts';
import { circleOf } from '../media/avatars.ts';
import { pictureBox } from '../media/box.ts';
import { paint } from '../money/tiers.ts';
import { cssColor, element, icon } from '@barrage/ui/dom.ts';
import { type Attrs, type Chat, type EmoteRange, type Gift, type SuperChat } from '@barrage/client';

/** What a row needs of the page beside its entry. */
export interface RowContext {
  /** User of this viewer; null for an anonymous one. */
  user(): string | null;
  /** Text of a message that is known here, as a reply quotes it; null for an unknown one. */
  quoted(sequence: number): string | null;
}

export function rowOf(entry: Entry, context: RowContext): HTMLElement {
  switch (entry.kind) {
    case 'message':
      return messageRow(entry, context);
    case 'note': {
      const row = element('li', 'row note');
      say(row, entry.key, entry.values);
      return row;
    }
    case 'quote': {
      const row = element('li', 'row note', entry.text);
      row.dir = 'auto';
      return row;
    }
    case 'leftOut': {
      const row = element('li', 'row note');
      say(row, 'leftOut', { count: count(entry.count) });
      return row;
    }
  }
}

function messageRow(entry: Message, context: RowContext): HTMLElement {
  const { body, sequence } = entry;
  if (entry.removed) {
    const row = element('li', 'row note');
    say(row, 'recalled');
    return row;
  }
  const row = bodyRow(entry, context);
  if (sequence !== null) row.dataset['sequence'] = String(sequence);
  row.dataset['user'] = body.user;
  row.dataset['id'] = body.id;
  row.classList.add(entry.origin);
  if (entry.held !== null) {
    const why = element('span', 'why');
    say(why, entry.held);
    const label = element('span', 'why-label');
    say(label, 'onlyYou');
    row.classList.add('held');
    row.append(element('small', 'held-why', label, ' · ', why));
    return row;
  }
  const more = element('button', 'more', '⋯');
  more.type = 'button';
  // The keyboard reaches the buttons by the arrow keys of the list.
  more.tabIndex = -1;
  more.setAttribute('aria-haspopup', 'menu');
  more.setAttribute('aria-label', t('actionsFor', { name: body.name }));
  row.append(more);
  return row;
}

function bodyRow({ body, sequence }: Message, context: RowContext): HTMLElement {
  switch (body.type) {
    case 'chat':
      return chatRow(body, context, sequence);
    case 'gift':
      return giftRow(body);
    case 'super_chat':
      return superRow(body);
  }
}

/** Creates the name with the avatar, the badges and the label of the role; all stay on one line. */
function nameOf({ name, user, attrs, role = '' }: { name: string; user: string; attrs?: Attrs; role?: string }): HTMLElement {
  const shown = element('bdi', 'who', name);
  const hue = attrs?.color === undefined ? hueOf(user + name) : hueOfColor(attrs.color);
  shown.style.setProperty('--hue', String(hue));
  const avatar = avatarPath(attrs?.avatar) === null ? [] : [circleOf('row-avatar', name, hue, attrs?.avatar), ' '];
  const badges = [...avatar, ...badgesOf(attrs)];
  const key = roleKey(role);
  if (!key) return element('b', 'from', ...badges, shown, ' ');
  const label = element('span', `role ${key}`);
  say(label, key);
  shown.classList.add(key);
  return element('b', 'from', label, ' ', ...badges, shown, ' ');
}

function wordsOf(text: string, emotes: readonly EmoteRange[] = [], mentions: readonly string[] = []): HTMLElement {
  const pieces = piecesOf(text, emotes);
  const marked = mentions.length === 0 ? pieces : pieces.flatMap((piece) => (typeof piece === 'string' ? marks(piece) : [piece]));
  const words = element('span', 'words', ...marked);
  words.dir = 'auto';
  return words;
}

/** Marks `@name` in a text that addresses users. */
function marks(text: string): (string | HTMLElement)[] {
  return text.split(/(@[^\s@]{1,40})/u).map((part) => (part.startsWith('@') && part.length > 1 ? element('mark', 'mention', part) : part));
}

function chatRow(chat: Chat, context: RowContext, sequence: number | null): HTMLElement {
  const words = wordsOf(chat.text, chat.emotes, chat.mentions);
  if (chat.style.color !== 0xffffff) {
    const dot = element('i', 'dot');
    dot.style.background = cssColor(chat.style.color);
    words.prepend(dot);
  }
  const row = element('li', 'row chat', ...(chat.reply_to ? [replyOf(chat.reply_to, context)] : []), nameOf(chat), words);
  if (chat.media !== undefined) row.append(pictureBox(chat.media, chat.name, sequence === null ? null : { conversation: null, position: sequence }));
  const user = context.user();
  if (user !== null && (chat.reply_to?.user === user || chat.mentions?.includes(user))) row.classList.add('to-me');
  return row;
}

/** Creates the quote above a reply, a button that leads to the message. */
function replyOf({ sequence, name }: { sequence: number; name: string }, context: RowContext): HTMLElement {
  const text = context.quoted(sequence);
  const quote = element('button', 'reply', icon('reply'), element('bdi', 'reply-who', name));
  quote.type = 'button';
  quote.tabIndex = -1;
  quote.dataset['to'] = String(sequence);
  quote.setAttribute('aria-label', t('inReplyToUnknown', { name }));
  if (text !== null) fillQuote(quote, text);
  return quote;
}

/** Writes the text of the message into a quote that has none. */
export function fillQuote(quote: HTMLElement, text: string): void {
  if (quote.querySelector('.reply-text')) return;
  const shown = element('span', 'reply-text', text);
  shown.dir = 'auto';
  quote.append(' ', shown);
  quote.setAttribute('aria-label', t('inReplyTo', { name: quote.querySelector('.reply-who')?.textContent ?? '', text }));
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
  const row = element('li', 'row super', head, wordsOf(chat.text, chat.emotes));
  paint(row, chat);
  return row;
}

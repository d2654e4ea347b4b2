// Rows of the list. Elements, ids and attributes have the names of YouTube's chat, so that themes made for it
// fit; classes and data attributes are this overlay's own and stable. Texts are text nodes.

import { type Attrs, type Chat, type EmoteRange, type Gift, type SuperChat, type Written } from '@barrage/client';
import { element } from '@barrage/ui/dom.ts';
import { authorType, hueOf, hueOfColor } from './author.ts';
import { money } from './money.ts';
import { tierOf } from './tiers.ts';

/** What rows need from the page. */
export interface RowContext {
  badges: boolean;
  /** Returns the avatar of an author; null for one without. */
  avatar: (name: string, avatar: string | undefined) => HTMLElement | null;
  locale: string;
  /** Returns a text in pieces: strings, and images where the page knows an emote. */
  pieces: (text: string, emotes: readonly EmoteRange[]) => (string | Node)[];
  /** Returns the sentence for a gift, without its number. */
  gave: (gift: string) => string;
}

/** Creates an element of YouTube's chat with classes and children. */
export function named(tag: string, id: string, className: string, ...children: (Node | string)[]): HTMLElement {
  const made = document.createElement(tag);
  if (id) made.id = id;
  if (className) made.className = className;
  made.append(...children);
  return made;
}

/** Creates the row of a message. */
export function rowOf(body: Written, sequence: number, context: RowContext): HTMLElement {
  const row = rowByType(body, context);
  mark(row, body, sequence);
  return row;
}

/** Sets the data attributes by which styles and purges find a node. */
export function mark(node: HTMLElement, body: Written, sequence: number): void {
  node.dataset['user'] = body.user;
  node.dataset['name'] = body.name;
  node.dataset['role'] = roleOf(body) || 'viewer';
  node.dataset['type'] = body.type;
  node.dataset['sequence'] = String(sequence);
  if (body.attrs?.level !== undefined) node.dataset['level'] = String(body.attrs.level);
  node.setAttribute('author-type', authorType(roleOf(body), body.attrs));
}

function rowByType(body: Written, context: RowContext): HTMLElement {
  switch (body.type) {
    case 'chat':
      return chatRow(body, context);
    case 'gift':
      return giftRow(body, context);
    case 'super_chat':
      return superRow(body, context);
  }
}

function roleOf(body: Written): string {
  return body.type === 'chat' ? (body.role ?? '') : '';
}

function chatRow(chat: Chat, context: RowContext): HTMLElement {
  const message = messageOf(chat.text, chat.emotes, context);
  if (chat.reply_to) message.prepend(element('bdi', 'reply', `@${chat.reply_to.name}`), ' ');
  const content = named('div', 'content', 'content', chipOf(chat, context), ' ', message);
  return named('yt-live-chat-text-message-renderer', '', 'row chat', content);
}

function superRow(chat: SuperChat, context: RowContext): HTMLElement {
  const amount = named('div', 'purchase-amount', 'amount', money(chat.amount_minor, chat.currency, context.locale));
  const header = named('div', 'header', 'header', named('div', 'header-content', '', chipOf(chat, context), amount));
  const content = named('div', 'content', 'content', messageOf(chat.text, chat.emotes, context));
  const row = named('yt-live-chat-paid-message-renderer', '', 'row super-chat', named('div', 'card', 'card', header, content));
  paint(row, chat);
  return row;
}

function giftRow(gift: Gift, context: RowContext): HTMLElement {
  const text = named('span', 'header-subtext', 'gift-text', context.gave(gift.gift.name));
  text.dir = 'auto';
  if (gift.gift.count > 1) text.append(' ', element('strong', 'times', `×${gift.gift.count}`));
  const header = named('div', 'header', 'header', named('div', 'header-content', '', chipOf(gift, context), ' ', text));
  const row = named('yt-live-chat-membership-item-renderer', '', 'row gift', named('div', 'card', 'card', header));
  row.dataset['gift'] = gift.gift.name;
  return row;
}

/** Sets the colors of a super chat's tier, by the names of YouTube's variables. */
export function paint(node: HTMLElement, chat: SuperChat): void {
  const tier = tierOf(chat);
  node.dataset['tier'] = String(tier.level);
  node.style.setProperty('--yt-live-chat-paid-message-primary-color', tier.body);
  node.style.setProperty('--yt-live-chat-paid-message-secondary-color', tier.header);
  node.style.setProperty('--yt-live-chat-paid-message-color', tier.text);
}

function messageOf(text: string, emotes: readonly EmoteRange[] = [], context: RowContext): HTMLElement {
  const message = named('span', 'message', 'message', ...context.pieces(text, emotes));
  message.dir = 'auto';
  return message;
}

/** Creates the name with its avatar and badges. */
function chipOf(body: Written, context: RowContext): HTMLElement {
  const type = authorType(roleOf(body), body.attrs);
  const name = named('span', 'author-name', `author-name ${type}`.trim(), element('bdi', '', body.name));
  const hue = body.attrs?.color === undefined ? hueOf(body.user) : hueOfColor(body.attrs.color);
  name.style.setProperty('--hue', String(hue ?? 0));
  name.style.setProperty('--saturation', hue === null ? '0%' : '85%');
  const avatar = context.avatar(body.name, body.attrs?.avatar);
  avatar?.style.setProperty('--hue', String(hue ?? 0));
  const chip = named('yt-live-chat-author-chip', '', 'author', ...(avatar ? [avatar, ' '] : []), name);
  if (context.badges) {
    const badges = named('span', 'chat-badges', 'badges', ...badgesOf(body, type));
    if (badges.childElementCount > 0) chip.append(' ', badges);
  }
  return chip;
}

function badgesOf(body: Written, type: string): Node[] {
  const labels: [type: string, label: string][] = [];
  if (type === 'owner' || type === 'moderator') labels.push([type, type === 'owner' ? '★' : '⚔']);
  const attrs: Attrs | undefined = body.attrs;
  for (const badge of attrs?.badges ?? []) labels.push([badge.split('/')[0] ?? '', badge.replace('/', ' ')]);
  if (attrs?.level !== undefined) labels.push(['level', `Lv ${attrs.level}`]);
  return labels.map(([kind, label]) => {
    const badge = named('yt-live-chat-author-badge-renderer', '', `badge ${kind === type ? 'role' : ''}`.trim(), label);
    badge.setAttribute('type', kind);
    badge.dataset['badge'] = kind;
    return badge;
  });
}

// Rows of a conversation. All that people write becomes text nodes.

import { type Medium } from '@barrage/client';
import { element, icon } from '@barrage/ui/dom.ts';
import { type Item } from '@barrage/client/inbox';
import { pictureBox, type Spot, type When } from '../../media/box.ts';
import { fileBox, soundBox } from '../../media/files.ts';
import { type Names } from '../list/names.ts';
import { avatarOf } from '../list/row.ts';
import { isolated, t } from '../texts/i18n.ts';
import { dayOf, fileNameOf, lineOf, textOf, timeOf } from '../texts/words.ts';
import { type Outgoing } from './outbox.ts';
import { stickerOf } from './stickers.ts';

export interface ItemContext {
  names: Names;
  /** The reader. */
  user: string | null;
  isGroup: boolean;
  /** Id of the conversation; null before its first item. */
  conversation: string | null;
  /** A stranger asks to write: its pictures are loaded when the reader opens them. */
  isRequest: boolean;
  /** Text of an item that is shown, as a reply quotes it; null for another one. */
  quoted(position: number): string | null;
}

/** What a row shows beside its item. */
export interface Look {
  /** The row begins a run of items of one sender. */
  begins: boolean;
  /** Sentence below the newest own item; empty for none. */
  receipt: string;
}

export function itemRow(item: Item, look: Look, context: ItemContext): HTMLElement {
  const { names, user, isGroup, quoted } = context;
  const isOwn = item.sender === user;
  const name = names.of(item.sender);
  if (item.recalled) {
    return element('li', 'letter-note', isOwn ? t('recalledOwn') : t('recalledOther', { name: isolated(name) }));
  }
  const bubble = element('div', 'bubble');
  const replied = item.body?.['reply_to'];
  if (typeof replied === 'number') bubble.append(element('bdi', 'letter-quote', quoted(replied) ?? t('notHere')));
  bubble.append(...bodyOf(item, name, context));
  const more = element('button', 'letter-more', '⋯');
  more.type = 'button';
  // The keyboard reaches the buttons by the arrow keys of the list.
  more.tabIndex = -1;
  more.setAttribute('aria-haspopup', 'menu');
  more.setAttribute('aria-label', t('actionsFor', { name }));
  const row = element('li', `letter ${isOwn ? 'own' : 'other'}${look.begins ? ' begins' : ''}`);
  row.dataset['position'] = String(item.position);
  if (isGroup && !isOwn) row.append(look.begins ? avatarOf(item.sender, name, names.avatar(item.sender)) : element('span', 'letter-avatar blank'));
  const column = element('div', 'letter-column');
  if (isGroup && !isOwn && look.begins) column.append(element('bdi', 'letter-who', name));
  const time = element('time', 'letter-time', timeOf(item.at_ms));
  time.dateTime = new Date(item.at_ms).toISOString();
  column.append(element('div', 'letter-line', bubble, element('span', 'letter-side', time, more)));
  if (look.receipt !== '') column.append(element('span', 'letter-receipt', look.receipt));
  // Who speaks, for a screen reader: the side of a bubble is for the eye alone.
  row.prepend(element('span', 'hidden', isOwn ? t('you', { text: '' }) : t('of', { name, text: '' })));
  row.append(column);
  return row;
}

function bodyOf(item: Item, name: string, { conversation, isRequest }: ItemContext): HTMLElement[] {
  const { kind, body = {}, position } = item;
  const { sticker, media } = body;
  if (kind === 'sticker' && typeof sticker === 'string') return [stickerOf(sticker)];
  if (kind !== 'text' && typeof media === 'object') {
    const spot = conversation === null ? null : { conversation, position };
    const text = textOf(body);
    return [mediumBox(media as Medium | null, name, fileNameOf(body), spot, isRequest ? 'asked' : 'near'), ...(text === '' ? [] : [wordsOf(text)])];
  }
  return [wordsOf(kind === 'text' ? textOf(body) : lineOf(item))];
}

function mediumBox(medium: Medium | null, name: string, fileName: string, spot: Spot | null, when: When): HTMLElement {
  if (Array.isArray(medium?.variants) && medium.kind === 'audio') return soundBox(medium, name, spot);
  if (Array.isArray(medium?.variants) && medium.kind === 'file') return fileBox(medium, fileName, spot);
  return pictureBox(medium, name, spot, when);
}

function wordsOf(text: string): HTMLElement {
  const words = element('bdi', 'letter-words', text);
  words.dir = 'auto';
  return words;
}

function outgoingBody({ letter, medium }: Outgoing): HTMLElement[] {
  if ('sticker' in letter) return [stickerOf(letter.sticker)];
  const { text = '' } = letter;
  const fileName = 'media' in letter ? (letter.fileName ?? '') : '';
  return [...(medium ? [mediumBox(medium, t('yourself'), fileName, null, 'near')] : []), ...(text === '' ? [] : [wordsOf(text)])];
}

/** Creates the row of a letter that is not in the conversation yet. */
export function outgoingRow(outgoing: Outgoing, acts: { again(id: string): void; discard(id: string): void }): HTMLElement {
  const { id, state, why } = outgoing;
  const row = element('li', `letter own begins outgoing ${state}`);
  row.dataset['outgoing'] = id;
  const column = element('div', 'letter-column', element('div', 'letter-line', element('div', 'bubble', ...outgoingBody(outgoing))));
  if (state !== 'failed') column.append(element('span', 'letter-receipt', t('sending')));
  else {
    const button = (label: 'again' | 'discard'): HTMLElement => {
      const made = element('button', 'chip', t(label));
      made.type = 'button';
      made.addEventListener('click', () => acts[label](id));
      return made;
    };
    const line = element('span', 'letter-failed', icon('warn'), element('span', '', t('failed', { why })));
    line.setAttribute('role', 'alert');
    column.append(line, element('span', 'line letter-retry', button('again'), button('discard')));
  }
  row.append(column);
  return row;
}

export function dayRow(atMs: number): HTMLElement {
  return element('li', 'letter-day', element('span', '', dayOf(atMs, Date.now())));
}

export function noteRow(words: string, className = 'letter-note'): HTMLElement {
  return element('li', className, element('span', '', words));
}

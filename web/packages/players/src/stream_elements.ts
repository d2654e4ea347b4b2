// Runs chat widgets that were made for StreamElements: the room's messages as the events that such a widget hears,
// `onWidgetLoad` and `onEventReceived`. The widget is the streamer's own code, in the streamer's own page.

import { type Chat, type Room } from '@barrage/client';
import { escapeMarkup, hexColor } from './escape.ts';

/** Writers that are remembered for a clear of the room. */
const WRITERS_MAX = 1_000;
/** Image of a badge, of which a platform's pages know none: one transparent pixel. */
const NO_IMAGE = 'data:image/gif;base64,R0lGODlhAQABAAAAACw=';

/** Gives the room's messages to a widget, until the returned function is called. `fields` are the widget's own. */
export function streamElements(room: Room, fields: Record<string, unknown> = {}, target: EventTarget = window): () => void {
  const tell = (type: string, detail: unknown): void => void target.dispatchEvent(new CustomEvent(type, { detail }));
  const received = (listener: string, event: unknown): void => tell('onEventReceived', { listener, event });
  // A widget has no event for a clear of the room: it hears a deletion for each writer.
  const writers = new Set<string>();
  tell('onWidgetLoad', { fieldData: fields, channel: { username: '', providerId: '' }, session: { data: {} }, recents: [], currency: {} });
  return room.on('batch', ({ messages }) => {
    for (const { sequence, body } of messages) {
      if (body.type === 'chat') {
        remember(writers, body.user);
        received('message', messageOf(body, sequence));
      } else if (body.type === 'gift') {
        received('cheer-latest', { type: 'cheer', name: escapeMarkup(body.name), amount: body.gift.count, message: escapeMarkup(body.gift.name) });
      } else if (body.type === 'super_chat') {
        const [name, message] = [escapeMarkup(body.name), escapeMarkup(body.text)];
        received('tip-latest', { type: 'tip', name, amount: body.amount_minor / 100, currency: escapeMarkup(body.currency), message });
      } else if (body.type === 'signal') {
        const users = body.signal === 'clear' ? [...writers] : body.signal === 'purge' && body.user ? [body.user] : [];
        for (const user of users) received('delete-messages', { userId: userId(user) });
        if (body.signal === 'recall') received('delete-message', { msgId: messageId(body.sequence ?? 0) });
      }
    }
  });
}

function remember(writers: Set<string>, user: string): void {
  writers.delete(user);
  const [oldest] = writers.add(user);
  if (writers.size > WRITERS_MAX && oldest !== undefined) writers.delete(oldest);
}

/** Ids are names in CSS, because widgets write them into selectors without quotes. */
function messageId(sequence: number): string {
  return `m${sequence}`;
}

function userId(user: string): string {
  return `u-${user.replace(/[^A-Za-z0-9-]/gu, (character) => `_${(character.codePointAt(0) ?? 0).toString(16)}_`)}`;
}

/** The event of a message. Widgets write `renderedText` into their page as markup, and often name and text too. */
function messageOf(chat: Chat, sequence: number): unknown {
  const type = chat.role === 'host' ? 'broadcaster' : chat.role === 'moderator' || chat.role === 'admin' ? 'moderator' : '';
  const names = [...(type ? [`${type}/1`] : []), ...(chat.attrs?.badges ?? [])].map(escapeMarkup);
  const color = hexColor(chat.attrs?.color);
  const [name, text] = [escapeMarkup(chat.name), escapeMarkup(chat.text)];
  const ids = { msgId: messageId(sequence), userId: userId(chat.user) };
  const tags = { badges: names.join(','), color, 'display-name': name, id: ids.msgId, mod: type === 'moderator' ? '1' : '0', 'user-id': ids.userId };
  const badges = names.map((badge) => ({ type: badge.split('/')[0], version: badge.split('/')[1] ?? '1', url: NO_IMAGE, description: badge }));
  const nick = escapeMarkup(chat.user.toLowerCase());
  const data = { ...ids, time: chat.at_ms, tags, nick, displayName: name, displayColor: color, badges, channel: '', text, isAction: false, emotes: [] };
  return { service: 'twitch', data, renderedText: text };
}

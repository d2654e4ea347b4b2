// Runs chat widgets that were made for StreamElements: the room's messages as the events that such a widget hears,
// `onWidgetLoad` and `onEventReceived`. The widget is the streamer's own code, in the streamer's own page.

import { type Chat, type Room } from '@barrage/client';
import { escapeMarkup, hexColor } from './escape.ts';

/** Gives the room's messages to a widget, until the returned function is called. `fields` are the widget's own. */
export function streamElements(room: Room, fields: Record<string, unknown> = {}, target: EventTarget = window): () => void {
  const tell = (type: string, detail: unknown): void => void target.dispatchEvent(new CustomEvent(type, { detail }));
  const received = (listener: string, event: unknown): void => tell('onEventReceived', { listener, event });
  // A purge has no room for ids: the widget gets the user's id, as on Twitch.
  const ids = new Map<number, string>();
  tell('onWidgetLoad', { fieldData: fields, channel: { username: '', providerId: '' }, session: { data: {} }, recents: [], currency: {} });
  return room.on('batch', ({ messages }) => {
    for (const { sequence, body } of messages) {
      if (body?.type === 'chat') {
        remember(ids, sequence, body.id);
        received('message', messageOf(body));
      } else if (body?.type === 'gift') {
        received('cheer-latest', { type: 'cheer', name: body.name, amount: body.gift.count, message: body.gift.name });
      } else if (body?.type === 'super_chat') {
        received('tip-latest', { type: 'tip', name: body.name, amount: body.amount_minor / 100, currency: body.currency, message: body.text });
      } else if (body?.type === 'signal') {
        if (body.signal === 'recall') received('delete-message', { msgId: ids.get(body.sequence ?? -1) ?? '' });
        if (body.signal === 'purge') received('delete-messages', { userId: body.user });
        if (body.signal === 'clear') received('delete-messages', {});
      }
    }
  });
}

/** Messages whose ids are kept for a recall. */
const IDS_MAX = 1_000;

function remember(ids: Map<number, string>, sequence: number, id: string): void {
  ids.set(sequence, id);
  const oldest = ids.keys().next().value;
  if (ids.size > IDS_MAX && oldest !== undefined) ids.delete(oldest);
}

/** The event of a message. Widgets write `renderedText` into their page as markup, and often name and text too. */
function messageOf(chat: Chat): unknown {
  const type = chat.role === 'host' ? 'broadcaster' : chat.role === 'moderator' || chat.role === 'admin' ? 'moderator' : '';
  const names = [...(type ? [`${type}/1`] : []), ...(chat.attrs?.badges ?? [])];
  const color = hexColor(chat.attrs?.color);
  const [name, text] = [escapeMarkup(chat.name), escapeMarkup(chat.text)];
  const tags = { badges: names.join(','), color, 'display-name': name, id: chat.id, mod: type === 'moderator' ? '1' : '0', 'user-id': chat.user };
  const badges = names.map((badge) => ({ type: badge.split('/')[0], version: badge.split('/')[1] ?? '1', url: '', description: badge }));
  const data = { time: chat.at_ms, tags, nick: chat.user, userId: chat.user, displayName: name, displayColor: color, badges, channel: '', text, isAction: false, emotes: [], msgId: chat.id };
  return { service: 'twitch', data, renderedText: text };
}

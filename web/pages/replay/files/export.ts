// Writes the messages of a recording as files: Bilibili's XML, and JSON Lines of the history's form.

import { type Place } from '@barrage/stage';
import { type Message } from '../timeline/message.ts';

const XML_MODES: Record<Message['mode'], number> = { scroll: 1, bottom: 4, top: 5, reverse: 6, placed: 7 };
const XML_SIZES: Record<Message['size'], number> = { small: 18, normal: 25, large: 36 };

export function toXml(messages: readonly Message[]): string {
  const rows = messages.map((message) => `  ${xmlOf(message)}`);
  return `<?xml version="1.0" encoding="UTF-8"?>\n<i>\n${rows.join('\n')}\n</i>\n`;
}

function xmlOf(message: Message): string {
  const ts = (message.offsetMs / 1_000).toFixed(3);
  const user = escape(message.name);
  switch (message.kind) {
    case 'gift':
      return `<gift ts="${ts}" user="${user}" giftname="${escape(message.gift?.name ?? '')}" giftcount="${message.gift?.count ?? 1}" price="${(message.gift?.priceMinor ?? 0) * 10}"></gift>`;
    case 'super_chat':
      return `<sc ts="${ts}" user="${user}" price="${(message.paid?.minor ?? 0) * 10}">${escape(message.text)}</sc>`;
    case 'chat':
      return `<d p="${ts},${XML_MODES[message.mode]},${XML_SIZES[message.size]},${message.color},0,0,${escape(hashOf(message.user))},0" user="${user}">${escape(placedText(message))}</d>`;
  }
}

/** The field of the sender may have no comma. */
function hashOf(user: string): string {
  return user.replaceAll(',', '');
}

/** Player for which pixels in a file are written; shares of 1 and more have no other form. */
const FILE_PLAYER = { widthPx: 682, heightPx: 438 };

function placedText({ text, place }: Message): string {
  if (!place) return text;
  const share = (value: number, ofPx: number) => (Math.abs(value) < 1 ? value : value * ofPx);
  const { x, y, toX = x, toY = y, durationMs = 4_500, fromOpacity = 1, toOpacity = fromOpacity, rotateDeg = 0, turnDeg = 0, delayMs = 0 } = place;
  const { widthPx, heightPx } = FILE_PLAYER;
  const { moveMs = durationMs - delayMs } = place;
  const ends = [share(toX, widthPx), share(toY, heightPx)];
  return JSON.stringify([share(x, widthPx), share(y, heightPx), `${fromOpacity}-${toOpacity}`, durationMs / 1_000, text, rotateDeg, turnDeg, ...ends, moveMs, delayMs]);
}

/** Escapes a text, and leaves out what XML cannot hold. */
function escape(text: string): string {
  return text
    .replace(/[\u0000-\u0008\u000b\u000c\u000e-\u001f\ufffe\uffff]|[\ud800-\udbff](?![\udc00-\udfff])|(?<![\ud800-\udbff])[\udc00-\udfff]/g, '')
    .replaceAll('&', '&amp;')
    .replaceAll('<', '&lt;')
    .replaceAll('>', '&gt;')
    .replaceAll('"', '&quot;');
}

export function toJsonl(messages: readonly Message[]): string {
  return messages.map((message) => `${JSON.stringify(recordedOf(message))}\n`).join('');
}

function recordedOf(message: Message): unknown {
  const sequence = /^s\d+$/.test(message.id) ? { sequence: Number(message.id.slice(1)) } : {};
  return { ...sequence, class: message.kind === 'chat' ? 'chat' : 'gift', at_ms: message.offsetMs, offset_ms: message.offsetMs, body: bodyOf(message) };
}

function bodyOf({ id, kind, user, name, role, text, mode, color, size, place, gift, paid, offsetMs }: Message): unknown {
  const from = { id, user, name, at_ms: offsetMs };
  if (kind === 'gift') return { type: 'gift', ...from, gift: { name: gift?.name ?? '', count: gift?.count ?? 1, price_minor: gift?.priceMinor ?? 0 } };
  if (kind === 'super_chat') return { type: 'super_chat', ...from, text, amount_minor: paid?.minor ?? 0, currency: paid?.currency ?? '' };
  // The protocol has no mode for danmaku that fly to the right: viewers read it as scroll.
  const style = { mode: mode === 'placed' && !place ? 'scroll' : mode, color, size, ...(place ? { place: placeOf(place) } : {}) };
  return { type: 'chat', ...from, ...(role === '' ? {} : { role }), text, style };
}

/** Returns a place as the protocol writes it: in 1/10,000 of the picture, and in percent. */
function placeOf({ x, y, toX, toY, durationMs = 4_500, moveMs, delayMs, fromOpacity = 1, toOpacity = fromOpacity, height, rotateDeg, turnDeg }: Place): unknown {
  const whole = (share: number) => Math.round(10_000 * share);
  const end = toX === undefined || toY === undefined ? {} : { end: { x: whole(toX), y: whole(toY), ...rounded('move_ms', moveMs), ...rounded('delay_ms', delayMs) } };
  return {
    x: whole(x),
    y: whole(y),
    duration_ms: Math.round(durationMs),
    ...end,
    ...(height === undefined ? {} : { height: whole(height) }),
    opacity: [Math.round(100 * fromOpacity), Math.round(100 * toOpacity)],
    ...rounded('rotate_z', rotateDeg),
    ...rounded('rotate_y', turnDeg),
  };
}

function rounded(name: string, value: number | undefined): Record<string, number> {
  return value === undefined ? {} : { [name]: Math.round(value) };
}

// Writes the messages of a recording as files: Bilibili's XML, and JSON Lines of the history's form.

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

function placedText({ text, place }: Message): string {
  if (!place) return text;
  const { x, y, toX = x, toY = y, durationMs = 4_500, fromOpacity = 1, toOpacity = 1, rotateDeg = 0, moveMs = durationMs, delayMs = 0 } = place;
  return JSON.stringify([x, y, `${fromOpacity}-${toOpacity}`, durationMs / 1_000, text, rotateDeg, 0, toX, toY, moveMs, delayMs]);
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

function bodyOf({ id, kind, user, name, role, text, mode, color, size, gift, paid, offsetMs }: Message): unknown {
  const from = { id, user, name, at_ms: offsetMs };
  if (kind === 'gift') return { type: 'gift', ...from, gift: { name: gift?.name ?? '', count: gift?.count ?? 1, price_minor: gift?.priceMinor ?? 0 } };
  if (kind === 'super_chat') return { type: 'super_chat', ...from, text, amount_minor: paid?.minor ?? 0, currency: paid?.currency ?? '' };
  // The protocol has no mode for what a file placed or let fly to the right: viewers read it as scroll.
  const style = { mode: mode === 'placed' || mode === 'reverse' ? 'scroll' : mode, color, size };
  return { type: 'chat', ...from, ...(role === '' ? {} : { role }), text, style };
}

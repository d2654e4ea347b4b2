// Bodies of messages. The client leaves out unknown types and fields, so that a newer server does not break it.

import type { Medium } from '../media/medium.ts';
import { fields, number, text, type Fields } from './fields.ts';

/** Role in a room. */
export type Role = 'viewer' | 'moderator' | 'host' | 'admin';

export type Mode = 'scroll' | 'reverse' | 'top' | 'bottom';
export type Size = 'small' | 'normal' | 'large';

/**
 * Position of a danmaku of the mode `placed`: left and top edge in 1/10,000 of the picture, with an optional
 * movement. docs/reference/protocol.md has the ranges.
 */
export interface Place {
  x: number;
  y: number;
  duration_ms: number;
  end?: { x: number; y: number; move_ms?: number; delay_ms?: number };
  /** Height of the text in 1/10,000 of the picture's height. */
  height?: number;
  /** Opacity in percent at the start and at the end. */
  opacity?: [start: number, end: number];
  rotate_z?: number;
  rotate_y?: number;
}

export interface Style {
  mode: Mode | 'placed';
  color: number;
  size: Size;
  /** Present with the mode `placed`. */
  place?: Place;
}

/** Attributes of the sender, as the server stamps them. */
export interface Attrs {
  badges: string[];
  level?: number;
  /** Color of the name as RGB. */
  color?: number;
  /** Id of the avatar: 64 hexadecimal digits are one of the media hosts, at `/v1/avatars/{id}`. */
  avatar?: string;
}

/** Start and end of an emote in UTF-16 code units, and its id. */
export type EmoteRange = readonly [start: number, end: number, id: string];

interface From {
  /** Id that the sender chose. Empty in most chats: a message is known by room and sequence. */
  id: string;
  user: string;
  name: string;
  at_ms: number;
  attrs?: Attrs;
}

export interface Chat extends From {
  type: 'chat';
  text: string;
  emotes?: EmoteRange[];
  /** Message to which this one replies. */
  reply_to?: { sequence: number; user: string; name: string };
  mentions?: string[];
  role?: string;
  style: Style;
  /** Picture, sticker or clip, with addresses of the media hosts; null for one that was removed. */
  media?: Medium | null;
}

export interface Gift extends From {
  type: 'gift';
  gift: { name: string; count: number; price_minor: number; combo?: number };
}

export interface SuperChat extends From {
  type: 'super_chat';
  text: string;
  emotes?: EmoteRange[];
  amount_minor: number;
  currency: string;
  /** Rank from 1, background as RGB, and seconds on top; absent at servers without tiers. */
  tier?: { level: number; color: number; top_secs: number };
}

export interface Signal {
  type: 'signal';
  signal: string;
  on?: boolean;
  sequence?: number;
  user?: string;
  until_ms?: number;
  secs?: number;
  text?: string;
  role?: string;
  /** Whether the room's shield is up. */
  shield?: boolean;
  /** Body of the pinned message. */
  message?: unknown;
  /** Poll that opens, or its result. */
  poll?: unknown;
  /** What the signal changes of the room's state. */
  state?: unknown;
}

/** Event of the customer's own servers. */
export interface Custom {
  type: 'event';
  /** Type with its namespace, such as `shop.card`. */
  event: string;
  id: string;
  data: unknown;
  at_ms: number;
}

export type Body = Chat | Gift | SuperChat | Signal | Custom;
/** A body that a user wrote. */
export type Written = Chat | Gift | SuperChat;

/** Reads a style. Unknown values become the default. */
export function readStyle(value: unknown): Style {
  const style = fields(value) ?? {};
  const { mode, size } = style;
  const place = mode === 'placed' ? readPlace(fields(style['place'])) : null;
  return {
    mode: place ? 'placed' : mode === 'reverse' || mode === 'top' || mode === 'bottom' ? mode : 'scroll',
    color: Math.trunc(between(style['color'], 0, 0xffffff, 0xffffff)),
    size: size === 'small' || size === 'large' ? size : 'normal',
    ...(place && { place }),
  };
}

function between(value: unknown, least: number, most: number, otherwise: number): number {
  return Math.min(Math.max(number(value, otherwise), least), most);
}

/** Reads a position, within the ranges of the protocol; null without one. */
function readPlace(value: Fields | null): Place | null {
  if (!value) return null;
  const place: Place = { ...readPoint(value), duration_ms: between(value['duration_ms'], 100, 20_000, 4_500) };
  const end = fields(value['end']);
  if (end) {
    place.end = readPoint(end);
    for (const name of ['move_ms', 'delay_ms'] as const) if (name in end) place.end[name] = between(end[name], 0, 20_000, 0);
  }
  if ('height' in value) place.height = between(value['height'], 10, 10_000, 500);
  for (const name of ['rotate_z', 'rotate_y'] as const) if (name in value) place[name] = between(value[name], -360, 360, 0);
  const { opacity } = value;
  if (Array.isArray(opacity)) place.opacity = [between(opacity[0], 0, 100, 100), between(opacity[1], 0, 100, 100)];
  return place;
}

function readPoint({ x, y }: Fields): { x: number; y: number } {
  return { x: between(x, -10_000, 20_000, 0), y: between(y, -10_000, 20_000, 0) };
}

/** Badges of one sender that the page shows. */
const BADGES_MAX = 8;
/** Emotes of one text that the page shows. */
const EMOTES_MAX = 50;

function list(value: unknown): unknown[] {
  return Array.isArray(value) ? value : [];
}

/** Reads the texts of a list that are not empty. */
function texts(value: unknown): string[] {
  return list(value).filter((one) => text(one)) as string[];
}

/** Reads attributes; null for none. */
function readAttrs(value: unknown): Attrs | null {
  const attrs = fields(value);
  if (!attrs) return null;
  const level = number(attrs['level'], -1);
  const color = Math.trunc(number(attrs['color'], -1));
  const avatar = text(attrs['avatar']);
  return {
    badges: texts(attrs['badges']).slice(0, BADGES_MAX),
    ...(level >= 0 && { level }),
    ...(color >= 0 && color <= 0xffffff && { color }),
    ...(avatar && { avatar }),
  };
}

/** Reads ranges of emotes that lie within the text, in order. */
function readEmotes(value: unknown, length: number): EmoteRange[] {
  let last = 0;
  return list(value).slice(0, EMOTES_MAX).flatMap((one): EmoteRange[] => {
    const [start, end, id] = list(one);
    if (!Number.isInteger(start) || !Number.isInteger(end) || !text(id)) return [];
    const [from, to] = [start as number, end as number];
    if (from < last || to <= from || to > length) return [];
    last = to;
    return [[from, to, id as string]];
  });
}

/** Reads a message body. Returns null for an unknown type. */
export function readBody(value: unknown): Body | null {
  const body = fields(value);
  if (!body) return null;
  const from: From = {
    id: text(body['id']),
    user: text(body['user']),
    name: text(body['name']) || text(body['user']),
    at_ms: number(body['at_ms'], 0),
  };
  const attrs = readAttrs(body['attrs']);
  if (attrs) from.attrs = attrs;
  const emotes = readEmotes(body['emotes'], text(body['text']).length);
  switch (body['type']) {
    case 'chat':
      return {
        type: 'chat',
        ...from,
        role: text(body['role']),
        text: text(body['text']),
        emotes,
        ...readReply(body),
        ...('media' in body && { media: fields(body['media']) as Medium | null }),
        style: readStyle(body['style']),
      };
    case 'gift': {
      const gift = fields(body['gift']) ?? {};
      const combo = number(gift['combo'], 0);
      return {
        type: 'gift',
        ...from,
        gift: {
          name: text(gift['name']),
          count: number(gift['count'], 1),
          price_minor: number(gift['price_minor'], 0),
          ...(combo > 0 && { combo }),
        },
      };
    }
    case 'super_chat':
      return {
        type: 'super_chat',
        ...from,
        text: text(body['text']),
        emotes,
        amount_minor: number(body['amount_minor'], 0),
        currency: text(body['currency']),
        ...readTier(fields(body['tier'])),
      };
    case 'signal':
      return { ...(body as unknown as Signal), type: 'signal', signal: text(body['signal']) };
    case 'event':
      return { type: 'event', event: text(body['event']), id: from.id, data: body['data'] ?? null, at_ms: from.at_ms };
    default:
      return null;
  }
}

function readTier(tier: Fields | null): Pick<SuperChat, 'tier'> {
  if (!tier) return {};
  const color = Math.trunc(between(tier['color'], 0, 0xffffff, 0));
  return { tier: { level: number(tier['level'], 1), color, top_secs: number(tier['top_secs'], 0) } };
}

/** Reads the message to which a chat replies, and the users that it addresses. */
function readReply(body: Fields): Pick<Chat, 'reply_to' | 'mentions'> {
  const reply = fields(body['reply_to']);
  const mentions = texts(body['mentions']);
  const found = reply && { sequence: number(reply['sequence'], 0), user: text(reply['user']), name: text(reply['name']) };
  return { ...(found && { reply_to: found }), ...(mentions.length > 0 && { mentions }) };
}

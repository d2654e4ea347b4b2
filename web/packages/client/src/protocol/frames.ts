// The part of the protocol that this page uses; docs/reference/protocol.md is the contract. The page
// ignores unknown frame types, body types and fields, so that a newer server does not break it.

import { type ClientFacts } from '../facts.ts';
import { type RoomState } from './state.ts';

export type Advice = 'never' | 'backoff' | 'now' | 'named';

/** Returns the advice of a close code's range. Unknown codes mean `backoff`. */
export function adviceOf(close: number): Advice {
  if (close >= 4000 && close < 4100) return 'never';
  if (close >= 4200 && close < 4300) return 'now';
  if (close >= 4300 && close < 4400) return 'named';
  return 'backoff';
}

/** Close code when this side finds a connection dead: "abnormal" of RFC 6455. */
export const CLOSE_ABNORMAL = 1006;
/** First close code of the protocol; browsers and proxies close with lower ones. */
export const CLOSE_PROTOCOL_MIN = 4000;

/** Close codes for tokens that are not accepted: a new token may help. */
export const CLOSE_UNAUTHORIZED = 4010;
export const CLOSE_TOKEN_EXPIRED = 4011;
export const CLOSE_WRONG_ROOM = 4012;
export const CLOSE_UNKNOWN_ROOM = 4014;
export const CLOSE_ROOM_CLOSED = 4015;
export const CLOSE_KICKED = 4016;

/** Role in a room. */
export type Role = 'viewer' | 'moderator' | 'host' | 'admin';

export type Mode = 'scroll' | 'top' | 'bottom';
export type Size = 'small' | 'normal' | 'large';

export interface Style {
  mode: Mode;
  color: number;
  size: Size;
}

export interface Refusal {
  code: string;
  message: string;
  retry_after_ms?: number;
  /** Rule that the request broke, where it was a limit; `limit` is the allowed number. */
  limit?: { rule: string; limit: number };
}

export interface Hello {
  type: 'hello';
  room: string;
  user?: string;
  connection: string;
  ping_interval_ms: number;
  /** Longest interval that a client may find out; absent where the interval is fixed. */
  ping_interval_ms_max?: number;
  sequence: number;
  resume: boolean;
  /** Viewers online; null where the transport does not say. */
  online: number | null;
  /** State of the room; absent at servers of earlier releases. */
  state?: RoomState;
}

export interface BatchMessage {
  sequence: number;
  class: 'signal' | 'gift' | 'chat';
  body: unknown;
}

/** A poll of the room, while it takes votes or with its result. */
export interface Poll {
  id: string;
  question: string;
  options: string[];
  ends_ms: number;
}

/** Votes of a poll so far, by option. */
export interface PollCounts {
  id: string;
  votes: number[];
}

export interface Pulse {
  likes?: number;
  /** Viewers that joined since the last pulse. */
  entries?: number;
  /** Reactions since the last pulse, by name. */
  reactions?: Record<string, number>;
  online?: number;
  polls?: PollCounts[];
  /** Chat that viewers sent, and the part that the room shows, while it shows a sample. */
  offered?: number;
  shown?: number;
}

export interface Batch {
  type: 'batch';
  room: string;
  previous: number;
  sequence: number;
  messages: BatchMessage[];
  left_out?: { chat?: number };
  pulse?: Pulse;
  repair?: { outcome: 'complete' | 'partial' | 'gone'; skipped: number };
  /** State of the room: where signals may be missing, and in the first answer to a poll. */
  state?: RoomState;
}

export interface Notice {
  type: 'notice';
  sequence: number;
  body: unknown;
}

export interface Reconnect {
  type: 'reconnect';
  after_ms: number;
  deadline_ms: number;
  endpoints?: { transport: string; url: string }[];
  message: string;
}

export type ServerFrame =
  | Hello
  | Batch
  | Notice
  | Reconnect
  | ({ type: 'error' } & Refusal)
  | { type: 'pong'; id: number; time_ms: number; ping_interval_ms?: number; ping_interval_ms_max?: number };

export type ClientFrame =
  | { type: 'join'; token?: string; after?: number; client?: ClientFacts }
  | { type: 'ping'; id: number }
  | { type: 'ack'; sequences: number[] }
  | { type: 'repair'; after: number; before: number };

/** Attributes of the sender, as the server stamps them. */
export interface Attrs {
  badges: string[];
  level?: number;
  /** Color of the name as RGB. */
  color?: number;
}

/** Start and end of an emote in UTF-16 code units, and its id. */
export type EmoteRange = readonly [start: number, end: number, id: string];

interface From {
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

export interface PostAnswer {
  outcome: 'broadcast' | 'held' | 'duplicate';
  sequence?: number;
  /** Rule that held the message. `offered` is the room's rate, where the rate was the reason. */
  limit?: { rule: string; limit: number; offered?: number };
  /** Vote that the text was. */
  vote?: { poll: string; option: number };
  /** Review in which the message waits. */
  review?: string;
}

/** Options of a poll that the page shows, at most. */
const POLL_OPTIONS_MAX = 10;

type Fields = Record<string, unknown>;

function fields(value: unknown): Fields | null {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Fields) : null;
}

function text(value: unknown): string {
  return typeof value === 'string' ? value : '';
}

function number(value: unknown, otherwise: number): number {
  return typeof value === 'number' && Number.isFinite(value) ? value : otherwise;
}

/** Reads a style. Unknown values become the default. */
export function readStyle(value: unknown): Style {
  const style = fields(value) ?? {};
  const mode = style['mode'];
  const size = style['size'];
  return {
    mode: mode === 'top' || mode === 'bottom' ? mode : 'scroll',
    color: Math.min(Math.max(Math.trunc(number(style['color'], 0xffffff)), 0), 0xffffff),
    size: size === 'small' || size === 'large' ? size : 'normal',
  };
}

/** Reads a poll of a signal or of the room's state. Returns null for anything else. */
export function readPoll(value: unknown): Poll | null {
  const poll = fields(value);
  const options = poll?.['options'];
  if (!poll || !Array.isArray(options) || options.length === 0) return null;
  return {
    id: text(poll['id']),
    question: text(poll['question']),
    options: options.slice(0, POLL_OPTIONS_MAX).map(text),
    ends_ms: number(poll['ends_ms'], 0),
  };
}

/** Reads votes by option. Anything but counts becomes 0. */
export function readVotes(value: unknown): number[] {
  const votes = Array.isArray(value) ? value : [];
  return votes.slice(0, POLL_OPTIONS_MAX).map((count) => Math.max(number(count, 0), 0));
}

/** Polls of which one pulse has votes, and names of its reactions, at most. */
const COUNTS_MAX = 64;

/** Reads counters. Unknown ones and everything but counts are left out. */
export function readPulse(value: unknown): Pulse {
  const pulse = fields(value) ?? {};
  const read: Pulse = {};
  for (const name of ['likes', 'entries', 'online', 'offered', 'shown'] as const) {
    const count = number(pulse[name], -1);
    if (count >= 0) read[name] = count;
  }
  const polls = Array.isArray(pulse['polls']) ? pulse['polls'].slice(0, COUNTS_MAX).map(fields) : [];
  if (polls.length > 0) read.polls = polls.map((poll) => ({ id: text(poll?.['id']), votes: readVotes(poll?.['votes']) }));
  const reactions = Object.entries(fields(pulse['reactions']) ?? {}).slice(0, COUNTS_MAX);
  if (reactions.length > 0) read.reactions = Object.fromEntries(reactions.map(([name, count]) => [name, Math.max(number(count, 0), 0)]));
  return read;
}

/** Badges of one sender that the page shows. */
const BADGES_MAX = 8;
/** Emotes of one text that the page shows. */
const EMOTES_MAX = 50;

/** Reads attributes; null for none. */
function readAttrs(value: unknown): Attrs | null {
  const attrs = fields(value);
  if (!attrs) return null;
  const badges = Array.isArray(attrs['badges']) ? attrs['badges'].filter((one) => typeof one === 'string') : [];
  const level = number(attrs['level'], -1);
  const color = Math.trunc(number(attrs['color'], -1));
  return {
    badges: badges.slice(0, BADGES_MAX),
    ...(level >= 0 ? { level } : {}),
    ...(color >= 0 && color <= 0xffffff ? { color } : {}),
  };
}

/** Reads ranges of emotes that lie within the text, in order. */
function readEmotes(value: unknown, length: number): EmoteRange[] {
  if (!Array.isArray(value)) return [];
  let last = 0;
  return value.slice(0, EMOTES_MAX).flatMap((one: unknown): EmoteRange[] => {
    const [start, end, id] = Array.isArray(one) ? (one as unknown[]) : [];
    if (!Number.isInteger(start) || !Number.isInteger(end) || typeof id !== 'string') return [];
    const [from, to] = [start as number, end as number];
    if (from < last || to <= from || to > length) return [];
    last = to;
    return [[from, to, id]];
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
          ...(combo > 0 ? { combo } : {}),
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
  const color = Math.min(Math.max(Math.trunc(number(tier['color'], 0)), 0), 0xffffff);
  return { tier: { level: number(tier['level'], 1), color, top_secs: number(tier['top_secs'], 0) } };
}

/** Reads the message to which a chat replies, and the users that it addresses. */
function readReply(body: Fields): Pick<Chat, 'reply_to' | 'mentions'> {
  const reply = fields(body['reply_to']);
  const users = body['mentions'];
  const mentions = Array.isArray(users) ? users.filter((user): user is string => typeof user === 'string') : [];
  const found = reply && { sequence: number(reply['sequence'], 0), user: text(reply['user']), name: text(reply['name']) };
  return { ...(found ? { reply_to: found } : {}), ...(mentions.length > 0 ? { mentions } : {}) };
}

/** Reads a server frame. Returns null for an unknown type; throws for anything that is no frame. */
export function readFrame(json: string): ServerFrame | null {
  const frame = fields(JSON.parse(json));
  switch (frame?.['type']) {
    case 'batch':
      if (!Array.isArray(frame['messages']) || !isPosition(frame['previous']) || !isPosition(frame['sequence'])) throw new TypeError('a batch without a range');
      return frame as unknown as Batch;
    case 'hello':
    case 'notice':
      if (!isPosition(frame['sequence'])) throw new TypeError('a frame without a position');
      return frame as unknown as ServerFrame;
    case 'reconnect':
    case 'error':
    case 'pong':
      return frame as unknown as ServerFrame;
    default:
      return null;
  }
}

function isPosition(value: unknown): boolean {
  return Number.isSafeInteger(value) && (value as number) >= 0;
}

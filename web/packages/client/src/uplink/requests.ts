// What a member of a room can send and ask, and the answers, as values.

import type { Body, Role, Style } from '../protocol/bodies.ts';
import type { Method } from './tunnel.ts';

/** A limit that held or refused a post: the rule, and its number. */
export interface Limit {
  rule: string;
  limit: number;
  /** Rate of the room, where the rate was the reason. */
  offered?: number;
}

/** A message to send. Without `id` the client makes one; the same `id` again is the same message. */
export type Post = { id?: string } & (
  | { type: 'chat'; text: string; style?: Partial<Style>; reply_to?: number; mentions?: string[]; media?: string; sticker?: string }
  | { type: 'gift'; gift: { name: string; count: number; price_minor?: number; combo?: number } }
  | { type: 'super_chat'; text: string; amount_minor: number; currency: string }
  | { type: 'like'; count: number }
  | { type: 'reaction'; name: string; count: number }
);

/** The server, or the way to it, did not take a request. */
export interface Refused {
  kind: 'refused';
  /** A code of the server, or `network` where none answered. */
  code: string;
  message: string;
  /** Time after which the same request may be accepted. */
  waitMs?: number;
  limit?: Limit;
}

/** Outcome of a post: all viewers get it, its sender alone sees it, or the server refused it. */
export type Sent =
  | { kind: 'broadcast'; id: string; sequence: number | null; vote?: { poll: string; option: number } }
  | { kind: 'held'; id: string; rule: string; limit?: Limit; review?: string }
  | (Refused & { id: string });

/** A moderator's action; docs/reference/protocol.md has what each does, and the role that it needs. */
export type Action =
  | { type: 'recall'; sequence: number }
  | { type: 'purge'; user: string }
  | { type: 'clear' }
  | { type: 'mute'; user: string; secs: number }
  | { type: 'unmute'; user: string }
  | { type: 'kick'; user: string }
  | { type: 'ban'; user: string; secs: number }
  | { type: 'unban'; user: string }
  | { type: 'slow_mode'; secs: number }
  | { type: 'mute_all'; on: boolean }
  | { type: 'pin'; sequence: number }
  | { type: 'unpin' }
  | { type: 'announce'; text: string }
  | { type: 'warn'; user: string; text: string }
  | { type: 'role'; user: string; role: Role }
  | { type: 'attribute_rules'; rules: { prefix: string; role: string }[] }
  | { type: 'speak'; rule: Record<string, unknown> }
  | { type: 'moderation_delay'; secs: number }
  | { type: 'reactions'; names?: string[] }
  | { type: 'super_chat_read'; sequence: number; on: boolean }
  | { type: 'shield'; on: boolean }
  | { type: 'shield_bundle'; rules: Record<string, unknown>[]; slow_mode_secs?: number };

/** Outcome of an action. `sequence` is the position of its signal in the room, where it has one. */
export type Acted =
  | { kind: 'done'; id: string; sequence: number | null; untilMs: number | null; isDuplicate: boolean }
  | (Refused & { id: string });

/** Outcome of a vote. `option` is the one that counts: the first vote of the user. */
export type Voted = { kind: 'counted'; poll: string; option: number } | Refused;

/** Report of a user to the room's moderators. */
export interface Report {
  user: string;
  /** Message that is the reason. */
  sequence?: number;
  reason?: string;
}

export type Reported = { kind: 'reported'; review: string } | Refused;

/** Part of the room's history: by position, or by offset into the stream. */
export interface HistoryQuery {
  before?: number;
  after?: number;
  fromMs?: number;
  toMs?: number;
  /** 1 to 1,000; default 100. */
  limit?: number;
}

/** A page of the history, oldest first. With `refusal` it is empty. */
export interface History {
  messages: { sequence: number; body: Body; atMs: number; offsetMs: number | null }[];
  more: boolean;
  /** Query of the page that follows in the direction that was asked. */
  next: HistoryQuery | null;
  refusal: Refused | null;
}

/** A request to another resource of the room, such as `reviews` or `words`, or of its uplinks. */
export interface Call {
  /** Default: GET. */
  method?: Method;
  /** Path behind `/v1/rooms/ROOM/`, with its query. */
  resource?: string;
  /** Path of a resource that is of no room, with its query, such as `/v1/inbox`; in place of `resource`. */
  path?: string;
  body?: unknown;
}

export type Called<Answer> = { kind: 'answered'; answer: Answer } | Refused;

/** A word that pages show as an image. `{px}` in the address stands for one of the heights. */
export interface Emote {
  id: string;
  name: string;
  url: string;
  px: number[];
  animated: boolean;
}

// The part of the protocol that this page uses; docs/reference/protocol.md is the contract. The page
// ignores unknown frame types, body types and fields, so that a newer server does not break it.

import type { ClientFacts } from '../facts.ts';
import type { MailFrame } from '../letters/book.ts';
import type { Pulse } from './pulse.ts';
import type { RoomState } from './state.ts';

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
  /** Whether the server takes `visibility` frames. */
  visibility?: boolean;
  /** State of the room; absent at servers of earlier releases. */
  state?: RoomState;
}

export interface BatchMessage {
  sequence: number;
  class: 'signal' | 'gift' | 'chat';
  body: unknown;
}

export interface Batch {
  type: 'batch';
  /** Absent in a batch of lines: the room is that of the last hello. */
  room?: string;
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
  | MailFrame
  | ({ type: 'error' } & Refusal)
  | { type: 'pong'; id: number; time_ms: number; ping_interval_ms?: number; ping_interval_ms_max?: number };

export type ClientFrame =
  | { type: 'join'; token?: string; after?: number; client?: ClientFacts }
  | { type: 'ping'; id: number }
  | { type: 'ack'; sequences: number[] }
  | { type: 'attach' | 'detach'; device?: string; visible?: boolean }
  | { type: 'visibility'; hidden: boolean }
  | { type: 'repair'; after: number; before: number };

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

/** Reads a server frame. Returns null for an unknown type; throws for anything that is no frame. The first frame of a connection for the inbox alone is read as a hello. */
export function readFrame(json: string): ServerFrame | null {
  const frame = JSON.parse(json) as Record<string, unknown> | null;
  switch (frame?.['type']) {
    case 'batch':
      if (!Array.isArray(frame['messages']) || !isPosition(frame['previous']) || !isPosition(frame['sequence'])) throw new TypeError('a batch without a range');
      return frame as unknown as Batch;
    case 'hello':
    case 'notice':
      if (!isPosition(frame['sequence'])) throw new TypeError('a frame without a position');
      return frame as unknown as ServerFrame;
    case 'attached':
      return (frame['connection'] ? { ...frame, ...frame['connection'], type: 'hello', sequence: 0 } : frame) as unknown as ServerFrame;
    case 'reconnect':
    case 'error':
    case 'pong':
    case 'mail':
    case 'bell':
      return frame as unknown as ServerFrame;
    default:
      return null;
  }
}

function isPosition(value: unknown): boolean {
  return Number.isSafeInteger(value) && (value as number) >= 0;
}

// What a connection reports: its state, and what it has received.

import { type RoomState } from '../protocol/state.ts';
import { type Transport } from './channel.ts';
import { type BatchMessage, type Hello, type Pulse } from '../protocol/frames.ts';

/** Why a state began: a code for programs, and a sentence for a log. */
export interface Reason {
  /** A code of the server, or `start`, `asked`, `network`, `lost`, `token`, `drain`, `closed`. */
  code: string;
  message: string;
}

/** State of the connection to the room. */
export type State = {
  /** Unix time in milliseconds at which the state began. */
  sinceMs: number;
  reason: Reason;
} & Where;

/** Kinds of states, with the fields of each. */
export type Where =
  | { kind: 'connecting' }
  | { kind: 'open'; transport: Transport }
  /** Another connection is being opened; the present one carries meanwhile. */
  | { kind: 'moving'; transport: Transport }
  /** The next attempt begins at `untilMs`. */
  | { kind: 'waiting'; untilMs: number }
  /** The servers are full; the slot of this viewer in the join queue comes at `untilMs`. */
  | { kind: 'queued'; untilMs: number }
  /** The visit has ended. With `untilMs` the client reconnects by itself at that time. */
  | { kind: 'ended'; code: string; message: string; untilMs?: number };

/** Kind of loss: the server dropped chat under load, a repair skipped it, or the server no longer has the range. */
export type LossKind = 'left_out' | 'skipped' | 'gone';

export interface ConnectionEvents {
  state(state: State): void;
  hello(hello: Hello): void;
  /** The whole state of the room, behind a gap in which signals may be missing. */
  roomState(state: RoomState): void;
  messages(messages: BatchMessage[]): void;
  pulse(pulse: Pulse): void;
  /** `count` is 0 where the number is not known. */
  lost(kind: LossKind, count: number): void;
  notice(sequence: number, body: unknown): void;
}

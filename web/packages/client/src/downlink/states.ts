// States of the connection to a room.

import type { Transport } from './channel.ts';

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

// What a connection reports to the page: its state, and what it has received.

import { type RoomState } from './state.ts';
import { type Transport } from './channel.ts';
import { type BatchMessage, type Hello, type Pulse, type Refusal } from './protocol.ts';

export type State =
  | { kind: 'connecting' }
  | { kind: 'open'; transport: Transport }
  | { kind: 'waiting'; untilMs: number }
  /** The servers are full; the slot of this viewer in the join queue comes at `untilMs`. */
  | { kind: 'queued'; untilMs: number }
  /** The visit has ended. With `untilMs` the page reconnects by itself at that time. */
  | { kind: 'ended'; refusal: Refusal; untilMs?: number };

export interface ConnectionEvents {
  state(state: State): void;
  hello(hello: Hello): void;
  /** The whole state of the room, behind a gap in which signals may be missing. */
  roomState(state: RoomState): void;
  messages(messages: BatchMessage[]): void;
  pulse(pulse: Pulse): void;
  leftOut(count: number): void;
  gone(): void;
  notice(body: unknown): void;
}

// Events of a room.

import type { State } from './downlink/states.ts';
import type { Body, SuperChat } from './protocol/bodies.ts';
import type { MailFrame } from './letters/book.ts';
import type { Hello } from './protocol/frames.ts';
import type { Poll, Pulse } from './protocol/pulse.ts';
import type { RoomSettings } from './protocol/state.ts';

/** A message of the room, at its position. */
export interface RoomMessage {
  sequence: number;
  class: 'signal' | 'gift' | 'chat';
  body: Body;
}

/** Messages that arrived together, in the order of the room. */
export interface RoomBatch {
  messages: RoomMessage[];
  /** Messages that a slow loop over the room missed; 0 for listeners. */
  missed: number;
}

/** Chat that did not arrive. `count` is 0 where the number is not known. */
export interface Loss {
  /**
   * `left_out`: the server dropped chat under load. `skipped`: a repair or a resume left chat out. `gone`: the
   * server no longer has the range. `hidden`: the page was in the background, and chat was counted.
   */
  kind: 'left_out' | 'skipped' | 'gone' | 'hidden';
  count: number;
}

/** A message for this user alone. The client has acknowledged it. */
export interface RoomNotice {
  sequence: number;
  /** Null for a type that this client does not know. */
  body: Body | null;
  /** Body as the server sent it. */
  raw: unknown;
}

/** A super chat that is on top until `until_ms`. */
export interface OpenSuperChat {
  sequence: number;
  until_ms: number;
  body: SuperChat;
  /** Whether the host has read it. */
  read: boolean;
}

/** State of the room, merged from what the server sent. */
export interface RoomView {
  settings: RoomSettings;
  pinned: { sequence: number; body: Body } | null;
  /** Poll that runs. */
  poll: Poll | null;
  attributes: Readonly<Record<string, { text: string; expires_at_ms?: number }>>;
  /** Super chats that are on top, oldest first. */
  super_chats: readonly OpenSuperChat[];
}

/** Types of events, with what a listener gets. */
export interface RoomEvents {
  state: State;
  /** The room was joined, also after each reconnect. */
  hello: Hello;
  batch: RoomBatch;
  roomState: RoomView;
  pulse: Pulse;
  loss: Loss;
  notice: RoomNotice;
  /** Changes of the user's inbox, behind `attach`. */
  mail: MailFrame;
}

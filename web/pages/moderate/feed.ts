// The room's stream for the console: which events of the client it shows.

import { type Body, type Pulse, type Room, type RoomView, type State } from '@barrage/client';

export interface FeedEvents {
  state: (state: State) => void;
  message: (body: Body, sequence: number) => void;
  roomState: (view: RoomView) => void;
  pulse: (pulse: Pulse) => void;
  leftOut: (count: number) => void;
}

/** Passes the events of a room on, and its present state at once. */
export function follow(room: Room, events: FeedEvents): void {
  room.on('state', events.state);
  room.on('batch', ({ messages }) => {
    for (const { body, sequence } of messages) events.message(body, sequence);
  });
  room.on('roomState', events.roomState);
  room.on('pulse', events.pulse);
  room.on('loss', ({ count }) => events.leftOut(count));
  events.state(room.state);
  events.roomState(room.roomState);
}

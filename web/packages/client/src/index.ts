// The SDK: join a room, and everything that it reports and takes.

export { join, Room, type JoinOptions } from './join.ts';
export { type TokenSource } from './credentials.ts';
export { type GuestOptions } from './guest.ts';
export { type Fetch, type HostOptions, type Socket, type SocketMaker, type Store } from './host.ts';
export { type Transport } from './downlink/channel.ts';
export { type Reason, type State, type Where } from './downlink/states.ts';
export { type Loss, type OpenSuperChat, type RoomBatch, type RoomEvents, type RoomMessage, type RoomNotice, type RoomView } from './events.ts';
export { type RoomSettings } from './protocol/state.ts';
export { type Medium, type Variant } from './media/medium.ts';
export { type Hello } from './protocol/frames.ts';
export { type Poll, type PollCounts, type Pulse } from './protocol/pulse.ts';
export {
  type Attrs,
  type Body,
  type Chat,
  type Custom,
  type EmoteRange,
  type Gift,
  type Mode,
  type Place,
  type Role,
  type Signal,
  type Size,
  type Style,
  type SuperChat,
  type Written,
} from './protocol/bodies.ts';
export {
  type Acted,
  type Action,
  type Call,
  type Called,
  type Emote,
  type History,
  type HistoryQuery,
  type Limit,
  type Post,
  type Refused,
  type Report,
  type Reported,
  type Sent,
  type Voted,
} from './uplink/requests.ts';

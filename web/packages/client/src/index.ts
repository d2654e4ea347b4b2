// The SDK: join a room, and everything that it reports and takes.

export { join, Room, type JoinOptions } from './join.ts';
export { type TokenSource } from './credentials.ts';
export { type GuestOptions } from './guest.ts';
export { type Fetch, type HostOptions, type Socket, type SocketMaker, type Store } from './host.ts';
export { type Transport } from './downlink/channel.ts';
export { type LossKind, type Reason, type State, type Where } from './downlink/connection_events.ts';
export { type Loss, type OpenSuperChat, type RoomBatch, type RoomEvents, type RoomMessage, type RoomNotice, type RoomView } from './events.ts';
export { type RoomSettings, type RoomState } from './protocol/state.ts';
export {
  readBody,
  readPoll,
  readVotes,
  type Attrs,
  type Body,
  type Chat,
  type Custom,
  type EmoteRange,
  type Gift,
  type Hello,
  type Mode,
  type Poll,
  type PollCounts,
  type Pulse,
  type Role,
  type Signal,
  type Size,
  type Style,
  type SuperChat,
  type Written,
} from './protocol/frames.ts';
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

// The transports over HTTP, which are loaded together.

export { EventStream } from './event_stream.ts';
export { LongPoll } from './long_poll.ts';

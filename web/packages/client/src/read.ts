// Readers of JSON from a server, for programs that get bodies otherwise than by a room: from an archive or a
// file. They throw for nothing, and leave out what they do not know.

export { readBody } from './protocol/bodies.ts';
export { readPoll, readPulse, readVotes } from './protocol/pulse.ts';

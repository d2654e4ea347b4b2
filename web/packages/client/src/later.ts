// The part of the client that a connection needs behind its start: it reads what arrives, keeps the
// connection alive, moves, and stores what the next visit needs. It is loaded while the first connection opens.

export { Absence } from './downlink/absence.ts';
export { Moves } from './downlink/moves.ts';
export { keepAnswer } from './entry/kept.ts';
export { Inbox } from './inbox.ts';
export { Keeper } from './heartbeat/keeper.ts';

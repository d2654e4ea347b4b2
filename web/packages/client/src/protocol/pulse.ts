// Counters of a room, and its polls.

import { fields, number, text } from './fields.ts';

/** A poll of the room, while it takes votes or with its result. */
export interface Poll {
  id: string;
  question: string;
  options: string[];
  ends_ms: number;
}

/** Votes of a poll so far, by option. */
export interface PollCounts {
  id: string;
  votes: number[];
}

export interface Pulse {
  likes?: number;
  /** Viewers that joined since the last pulse. */
  entries?: number;
  /** Reactions since the last pulse, by name. */
  reactions?: Record<string, number>;
  online?: number;
  polls?: PollCounts[];
  /** Chat that viewers sent, and the part that the room shows, while it shows a sample. */
  offered?: number;
  shown?: number;
}

/** Options of a poll that the page shows, at most. */
const POLL_OPTIONS_MAX = 10;

/** Reads a poll of a signal or of the room's state. Returns null for anything else. */
export function readPoll(value: unknown): Poll | null {
  const poll = fields(value);
  const options = poll?.['options'];
  if (!poll || !Array.isArray(options) || options.length === 0) return null;
  return {
    id: text(poll['id']),
    question: text(poll['question']),
    options: options.slice(0, POLL_OPTIONS_MAX).map(text),
    ends_ms: number(poll['ends_ms'], 0),
  };
}

/** Reads votes by option. Anything but counts becomes 0. */
export function readVotes(value: unknown): number[] {
  const votes = Array.isArray(value) ? value : [];
  return votes.slice(0, POLL_OPTIONS_MAX).map((count) => Math.max(number(count, 0), 0));
}

/** Polls of which one pulse has votes, and names of its reactions, at most. */
const COUNTS_MAX = 64;

/** Reads counters. Unknown ones and everything but counts are left out. */
export function readPulse(value: unknown): Pulse {
  const pulse = fields(value) ?? {};
  const read: Pulse = {};
  for (const name of ['likes', 'entries', 'online', 'offered', 'shown'] as const) {
    const count = number(pulse[name], -1);
    if (count >= 0) read[name] = count;
  }
  const polls = Array.isArray(pulse['polls']) ? pulse['polls'].slice(0, COUNTS_MAX).map(fields) : [];
  if (polls.length > 0) read.polls = polls.map((poll) => ({ id: text(poll?.['id']), votes: readVotes(poll?.['votes']) }));
  const reactions = Object.entries(fields(pulse['reactions']) ?? {}).slice(0, COUNTS_MAX);
  if (reactions.length > 0) read.reactions = Object.fromEntries(reactions.map(([name, count]) => [name, Math.max(number(count, 0), 0)]));
  return read;
}

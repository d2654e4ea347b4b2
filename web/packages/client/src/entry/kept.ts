// Keeps the last good answer of entry in the browser's storage, so that a page whose entry does not
// answer still connects. The value is versioned, bounded in size, and belongs to one origin of a page.

import { type Host } from '../host.ts';
import { judge, type EntryAnswer } from './sources.ts';

const KEY = 'barrage.entry';
const VERSION = 1;
/** Characters of the stored value, at most. A larger answer is not stored. */
const CHARACTERS_MAX = 32 * 1024;
const ANY_ROOM = '/rooms/{room}/';

export interface Kept {
  savedMs: number;
  /** The answer, with `{room}` in the place of the room and without a ticket. */
  answer: EntryAnswer;
}

/** Returns the stored answer; null without one, and for a value that this version did not write. */
export function recallAnswer(host: Host): Kept | null {
  const text = host.recall('local', KEY);
  if (text === null || text.length > CHARACTERS_MAX) return null;
  let stored: { version?: unknown; saved_ms?: unknown; answer?: unknown } | null;
  try {
    stored = JSON.parse(text) as typeof stored;
  } catch {
    return null;
  }
  if (stored?.version !== VERSION || typeof stored.saved_ms !== 'number') return null;
  // Other scripts of the origin can write here: the value is checked as an answer of the network is.
  const verdict = judge(200, JSON.stringify(stored.answer ?? null), 'watch', 0);
  return verdict.kind === 'good' ? { savedMs: stored.saved_ms, answer: verdict.answer } : null;
}

/** Stores an answer for a room. */
export function keepAnswer(host: Host, answer: EntryAnswer, room: string, nowMs: number): void {
  const { ticket: _ticket, ...rest } = answer;
  const downlinks = rest.downlinks.map((one) => ({ ...one, url: one.url.replace(`/rooms/${room}/`, ANY_ROOM) }));
  const text = JSON.stringify({ version: VERSION, saved_ms: nowMs, answer: { ...rest, downlinks } });
  if (text.length <= CHARACTERS_MAX) host.keep('local', KEY, text);
}

/** Returns a stored answer for a room. */
export function forRoom(answer: EntryAnswer, room: string): EntryAnswer {
  const downlinks = answer.downlinks.map((one) => ({ ...one, url: one.url.replace('{room}', encodeURIComponent(room)) }));
  return { ...answer, downlinks };
}

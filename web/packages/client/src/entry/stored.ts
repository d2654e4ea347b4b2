// Reads the answer of entry that an earlier visit kept.

import { judge, type EntryAnswer } from './answer.ts';
import type { Host } from '../host.ts';
import { CHARACTERS_MAX, KEY, VERSION } from './kept.ts';

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

/** Returns a stored answer for a room. */
export function forRoom(answer: EntryAnswer, room: string): EntryAnswer {
  const downlinks = answer.downlinks.map((one) => ({ ...one, url: one.url.replace('{room}', encodeURIComponent(room)) }));
  return { ...answer, downlinks };
}

// Keeps the last good answer of entry in the browser's storage, so that a page whose entry does not
// answer still connects. The value is versioned, bounded in size, and belongs to one origin of a page.

import type { EntryAnswer } from './answer.ts';
import type { Host } from '../host.ts';

export const KEY = 'barrage.entry';
export const VERSION = 1;
/** Characters of the stored value, at most. A larger answer is not stored. */
export const CHARACTERS_MAX = 32 * 1024;
const ANY_ROOM = '/rooms/{room}/';

/** Stores an answer for a room. */
export function keepAnswer(host: Host, answer: EntryAnswer, room: string, nowMs: number): void {
  const { ticket: _ticket, ...rest } = answer;
  const downlinks = rest.downlinks.map((one) => ({ ...one, url: one.url.replace(`/rooms/${room}/`, ANY_ROOM) }));
  const text = JSON.stringify({ version: VERSION, saved_ms: nowMs, answer: { ...rest, downlinks } });
  if (text.length <= CHARACTERS_MAX) host.keep('local', KEY, text);
}

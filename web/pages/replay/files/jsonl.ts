// JSON Lines of the history: one message a line, as `GET .../history` has it.

import { readBody } from '@barrage/client/read';
import { styleOf } from '@barrage/stage';
import { type Message } from '../timeline/message.ts';
import { MESSAGES_MAX, OFFSET_MS_MAX, type Parsed } from './xml.ts';

/** A message of the history, in an answer or on a line. */
export interface Recorded {
  sequence?: unknown;
  at_ms?: unknown;
  offset_ms?: unknown;
  body?: unknown;
}

/** Reads a message of the history. Returns null for signals, events, and what has no place in the stream. */
export function readRecorded(recorded: Recorded, startedAtMs: number | null = null): Message | null {
  const body = readBody(recorded.body);
  if (!body || body.type === 'signal' || body.type === 'event') return null;
  const atMs = typeof recorded.at_ms === 'number' ? recorded.at_ms : body.at_ms;
  const offsetMs = typeof recorded.offset_ms === 'number' ? recorded.offset_ms : startedAtMs === null ? NaN : atMs - startedAtMs;
  if (!(offsetMs >= 0 && offsetMs <= OFFSET_MS_MAX)) return null;
  const id = typeof recorded.sequence === 'number' ? `s${recorded.sequence}` : `m${body.user}/${body.id}`;
  const base = { id, offsetMs, user: body.user, name: body.name, role: '', text: '', mode: 'scroll', color: 0xffffff, size: 'normal' } as const;
  if (body.type === 'gift') return { ...base, kind: 'gift', gift: { name: body.gift.name, count: body.gift.count, priceMinor: body.gift.price_minor } };
  if (body.type === 'super_chat') return { ...base, kind: 'super_chat', text: body.text, paid: { minor: body.amount_minor, currency: body.currency } };
  const { place } = styleOf(body.style);
  return { ...base, kind: 'chat', role: body.role ?? '', text: body.text, mode: body.style.mode, color: body.style.color, size: body.style.size, ...(place ? { place } : {}) };
}

/** Reads a file. Without offsets the first message is the start. */
export function readJsonl(text: string): Parsed {
  const parsed: Parsed = { messages: [], skipped: 0 };
  let startedAtMs: number | null = null;
  for (const row of text.split('\n')) {
    if (row.trim() === '') continue;
    const recorded = recordOf(row);
    if (recorded && startedAtMs === null && typeof recorded.at_ms === 'number') startedAtMs = recorded.at_ms;
    // Signals and events are no danmaku, and nothing is wrong with them.
    if (recorded && isNoDanmaku(recorded.body)) continue;
    const message = recorded && parsed.messages.length < MESSAGES_MAX ? readRecorded(recorded, startedAtMs) : null;
    if (message) parsed.messages.push(message);
    else parsed.skipped += 1;
  }
  return parsed;
}

function isNoDanmaku(body: unknown): boolean {
  const read = readBody(body);
  return read?.type === 'signal' || read?.type === 'event';
}

/** Returns the object of a line; a bare body counts as a message with the time of that body. */
function recordOf(row: string): Recorded | null {
  try {
    const value: unknown = JSON.parse(row);
    if (typeof value !== 'object' || value === null) return null;
    if ('body' in value) return value;
    return 'type' in value ? { body: value, ...('at_ms' in value ? { at_ms: value.at_ms } : {}) } : null;
  } catch {
    return null;
  }
}

// The state of the room as its users read it: values without versions, with parsed bodies.

import type { OpenSuperChat, RoomView } from '../events.ts';
import { readBody } from './bodies.ts';
import { readPoll } from './pulse.ts';
import { merge, type RoomState } from './state.ts';

export class Merged {
  #state: RoomState = {};

  /** Takes what is newer of a state or of a change. Returns the new view; null where nothing is newer. */
  take(state: unknown): RoomView | null {
    return merge(this.#state, state) ? viewOf(this.#state) : null;
  }
}

function viewOf(state: RoomState): RoomView {
  const pinned = state.pinned?.value;
  const body = readBody(pinned?.message);
  return {
    settings: state.settings?.value ?? {},
    pinned: pinned && body ? { sequence: pinned.sequence, body } : null,
    poll: readPoll(state.poll?.value),
    attributes: valuesOf(state.attributes?.entries),
    super_chats: Object.values(valuesOf(state.super_chats?.entries)).flatMap(readSuperChat),
  };
}

function readSuperChat(value: unknown): OpenSuperChat[] {
  const { sequence, until_ms, message, read } = (value ?? {}) as Record<string, unknown>;
  const body = readBody(message);
  if (typeof sequence !== 'number' || typeof until_ms !== 'number' || body?.type !== 'super_chat') return [];
  return [{ sequence, until_ms, body, read: read === true }];
}

/** Returns the values that are there. A key may be `__proto__`, so the object has no prototype. */
function valuesOf<T>(entries: Record<string, { value?: T }> = {}): Record<string, T> {
  const values = Object.create(null) as Record<string, T>;
  for (const [key, { value }] of Object.entries(entries)) if (value !== undefined) values[key] = value;
  return values;
}

// State of the room: what a newcomer gets in `hello.state`, and what signals change of it. Pure.
//
// Each part has a version, and of two values the one with the higher version stays. So the order in
// which states and changes arrive does not matter, nor does one that arrives twice. The Rust client
// passes the same vectors (services/client/vectors/state.json).

/** A value with the version of its last change; without a value it is removed or not there. */
export interface Versioned<T> {
  version: number;
  value?: T;
}

/** Values by key. All changes up to `complete_to` are contained. */
export interface Keyed<T> {
  complete_to?: number;
  entries?: Record<string, Versioned<T>>;
}

export interface RoomSettings {
  title?: string;
  closed?: boolean;
  mute_all?: boolean;
  slow_mode_secs?: number;
  /** Seconds by which viewers get the room later than its moderators. */
  moderation_delay_secs?: number;
  /** Rules for those who speak. */
  speak?: Record<string, unknown>;
  /** Whether the room's shield is up. */
  shield?: boolean;
  /** Reactions of the room's own set; absent while it has the platform's. */
  reactions?: string[];
  stream_started_at_ms?: number;
}

export interface RoomState {
  settings?: Versioned<RoomSettings>;
  pinned?: Versioned<{ sequence: number; message: unknown }>;
  attributes?: Keyed<{ text: string; expires_at_ms?: number }>;
  poll?: Versioned<unknown>;
  super_chats?: Keyed<unknown>;
}

/** Removed entries to remember, so that an older change that comes late does not bring them back. */
const REMOVED_MAX = 256;

type Fields = Record<string, unknown>;

/** Takes what is newer of another state, or of a change, into `state`. Returns whether anything was. */
export function merge(state: RoomState, other: unknown): boolean {
  if (!isFields(other)) return false;
  // Each part is merged, also when one before it was newer.
  return [
    mergePart(state, 'settings', other['settings']),
    mergePart(state, 'pinned', other['pinned']),
    mergePart(state, 'poll', other['poll']),
    mergeKeyed(state, 'attributes', other['attributes']),
    mergeKeyed(state, 'super_chats', other['super_chats']),
  ].includes(true);
}

function mergePart(state: RoomState, name: 'settings' | 'pinned' | 'poll', other: unknown): boolean {
  if (!isVersioned(other)) return false;
  const known = state[name];
  if (known && known.version >= other.version) return false;
  (state as Fields)[name] = other;
  return true;
}

function mergeKeyed(state: RoomState, name: 'attributes' | 'super_chats', other: unknown): boolean {
  if (!isFields(other)) return false;
  const known: Keyed<unknown> = state[name] ?? {};
  const before = new Map(Object.entries(known.entries ?? {}));
  const knownTo = known.complete_to ?? 0;
  const otherTo = typeof other['complete_to'] === 'number' ? other['complete_to'] : 0;
  const theirs = new Map<string, Versioned<unknown>>();
  for (const [key, entry] of Object.entries(isFields(other['entries']) ? other['entries'] : {})) {
    if (isVersioned(entry)) theirs.set(key, entry);
  }
  const after = new Map<string, Versioned<unknown>>();
  let newer = otherTo > knownTo;
  for (const [key, entry] of before) {
    if (theirs.has(key) || entry.version > otherTo) after.set(key, entry);
    else newer = true;
  }
  for (const [key, entry] of theirs) {
    const mine = before.get(key);
    if (mine ? mine.version >= entry.version : entry.version <= knownTo) continue;
    after.set(key, entry);
    newer = true;
  }
  const completeTo = Math.max(knownTo, otherTo);
  forgetRemoved(after, completeTo);
  const merged: Keyed<unknown> = { entries: fromMap(after) };
  if (completeTo > 0) merged.complete_to = completeTo;
  if (completeTo > 0 || after.size > 0) (state as Fields)[name] = merged;
  return newer;
}

/** Forgets removed entries that no change can bring back, and the oldest beyond the maximum. */
function forgetRemoved(entries: Map<string, Versioned<unknown>>, completeTo: number): void {
  const removed = [...entries].filter(([, entry]) => entry.value === undefined);
  removed.sort(([, a], [, b]) => b.version - a.version);
  for (const [number, [key, entry]] of removed.entries()) {
    if (entry.version <= completeTo || number >= REMOVED_MAX) entries.delete(key);
  }
}

/** Makes an object without a prototype: a key may be `__proto__` or `constructor`. */
function fromMap(entries: Map<string, Versioned<unknown>>): Record<string, Versioned<unknown>> {
  const made = Object.create(null) as Record<string, Versioned<unknown>>;
  for (const [key, entry] of entries) made[key] = entry;
  return made;
}

function isFields(value: unknown): value is Fields {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function isVersioned(value: unknown): value is Versioned<unknown> {
  return isFields(value) && typeof value['version'] === 'number';
}

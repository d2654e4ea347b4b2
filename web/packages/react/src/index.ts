// A Barrage room in React: `const { messages, state, send } = useRoom({ entry, room })`.

import type { Post, Room, Sent } from '@barrage/client';
import { EMPTY, RoomStore, type Snapshot, type StoreOptions } from '@barrage/client/snapshot';
import { useMemo, useRef, useSyncExternalStore } from 'react';

export { type Snapshot, type StoreOptions } from '@barrage/client/snapshot';

export interface RoomHook extends Snapshot {
  /** Sends a message. The outcome is a value: broadcast, held, or refused. */
  send(post: Post): Promise<Sent>;
  /** Room for everything else: votes, actions, history; null before the component is mounted. */
  readonly room: Room | null;
}

/**
 * Joins a room while the component is mounted, and again when `entry` or `room` changes. Other options may
 * change at any time: the next connect uses the newest `token`. A server renders the empty snapshot.
 */
export function useRoom(options: StoreOptions): RoomHook {
  const newest = useRef(options);
  newest.current = options;
  const key = JSON.stringify([options.entry, options.room]);
  const store = useMemo(() => new RoomStore(() => withNewest(newest)), [key]);
  const snapshot = useSyncExternalStore(store.subscribe, store.get, () => EMPTY);
  return useMemo(() => ({ ...snapshot, room: store.room, send: (post: Post) => send(store, post) }), [snapshot, store]);
}

/** Returns the options, with a token function that asks the newest one. */
function withNewest(newest: { readonly current: StoreOptions }): StoreOptions {
  const options = newest.current;
  // Without a token function the viewer is a guest.
  return options.token ? { ...options, token: (ask) => newest.current.token?.(ask) ?? null } : options;
}

async function send(store: RoomStore, post: Post): Promise<Sent> {
  if (store.room) return store.room.send(post);
  return { kind: 'refused', id: post.id ?? '', code: 'closed', message: 'the component is not mounted' };
}

// A Barrage room in Vue: `const { snapshot, send } = useRoom({ entry, room })`.

import type { Post, Room, Sent } from '@barrage/client';
import { EMPTY, RoomStore, type Snapshot, type StoreOptions } from '@barrage/client/snapshot';
import { onMounted, onScopeDispose, shallowRef, toValue, watch, type MaybeRefOrGetter, type ShallowRef } from 'vue';

export { type Snapshot, type StoreOptions } from '@barrage/client/snapshot';

export interface RoomComposable {
  /** The room now. A server renders the empty snapshot. */
  readonly snapshot: Readonly<ShallowRef<Snapshot>>;
  /** Sends a message. The outcome is a value: broadcast, held, or refused. */
  send(post: Post): Promise<Sent>;
  /** Returns the room for everything else: votes, actions, history; null before the component is mounted. */
  room(): Room | null;
}

/** Joins a room while the component is mounted, and again when `entry` or `room` of reactive options changes. */
export function useRoom(options: MaybeRefOrGetter<StoreOptions>): RoomComposable {
  const snapshot = shallowRef(EMPTY);
  const store = new RoomStore(() => toValue(options));
  let leave: (() => void) | null = null;
  const enter = (): void => {
    leave?.();
    leave = store.subscribe(() => {
      snapshot.value = store.get();
    });
  };
  onMounted(enter);
  watch(
    () => JSON.stringify([toValue(options).entry, toValue(options).room]),
    () => leave && enter(),
  );
  onScopeDispose(() => {
    leave?.();
    leave = null;
  });
  return {
    snapshot,
    room: () => store.room,
    send: async (post) => store.room?.send(post) ?? { kind: 'refused', id: post.id ?? '', code: 'closed', message: 'the component is not mounted' },
  };
}

// A room as snapshots: one a frame, a bounded ring that follows recalls, and no room without a subscriber.

import assert from 'node:assert/strict';
import { test, vi } from 'vitest';
import { EMPTY, RoomStore } from '../src/snapshot.ts';
import { batch, chat, HELLO, pass, settle, World } from './world.mjs';

async function subscribed(limit) {
  const world = new World();
  const { fetch, WebSocket, storage } = world;
  const store = new RoomStore(() => ({ entry: 'http://chat.example', room: 'demo', fetch, WebSocket, storage, limit }));
  const seen = [];
  const leave = store.subscribe(() => seen.push(store.get()));
  await settle();
  world.last.open();
  world.last.frame(HELLO);
  await pass(20);
  return { world, store, seen, leave };
}

const sequences = (store) => store.get().messages.map(({ sequence }) => sequence);
const signal = (sequence, of) => ({ sequence, class: 'signal', body: { type: 'signal', ...of } });

test('a burst of batches makes one snapshot a frame, and the ring is bounded', async () => {
  const { world, store, seen, leave } = await subscribed();
  const before = seen.length;
  for (let at = 10; at < 1_010; at += 10) world.last.frame(batch(at, at + 10));
  await settle();
  assert.equal(seen.length, before);
  await pass(20);
  assert.equal(seen.length, before + 1);
  assert.equal(store.get().messages.length, 200);
  assert.deepEqual([sequences(store).at(0), sequences(store).at(-1)], [811, 1_010]);
  assert.equal(store.get(), store.get());
  leave();
});

test('recalled, purged and cleared messages leave the ring, and later ones of the same user stay', async () => {
  const { world, store, leave } = await subscribed(50);
  world.last.frame({ ...batch(10, 14), messages: [chat(11), chat(12, { user: 'u3' }), chat(13), signal(14, { signal: 'recall', sequence: 11 })] });
  await pass(20);
  assert.deepEqual(sequences(store), [12, 13]);
  world.last.frame({ ...batch(14, 16), messages: [signal(15, { signal: 'purge', user: 'u2' }), chat(16)] });
  await pass(20);
  assert.deepEqual(sequences(store), [12, 16]);
  world.last.frame({ ...batch(16, 18), messages: [signal(17, { signal: 'clear' }), chat(18)], left_out: { chat: 3 } });
  await pass(20);
  assert.deepEqual([sequences(store), store.get().lost], [[18], 3]);
  leave();
});

test('the last subscriber closes the room, and the next one joins again', async () => {
  const { world, store, leave } = await subscribed();
  const second = store.subscribe(() => undefined);
  leave();
  assert.notEqual(store.room, null);
  second();
  assert.equal(store.room, null);
  assert.equal(world.sockets[0].isClosed, true);
  await settle();
  assert.equal(vi.getTimerCount(), 0);
  const third = store.subscribe(() => undefined);
  await settle();
  assert.equal(world.sockets.length, 2);
  third();
});

test('before the first subscriber the snapshot is empty', () => {
  const store = new RoomStore(() => assert.fail('no options are needed'));
  assert.equal(store.get(), EMPTY);
});

// Chains of a room over connections that break, move, repeat and reorder, and frames that are no frames.

import assert from 'node:assert/strict';
import { test, vi } from 'vitest';
import { batch, chat, HELLO, pass, settle, until, World } from './world.mjs';

async function again(world, hello) {
  const before = world.sockets.length;
  await until('it reconnects', () => world.sockets.length > before);
  world.last.open();
  world.last.frame({ ...HELLO, ...hello });
  await settle();
}

test('a room resumes behind the last message, and losses are events', async () => {
  const world = new World();
  const room = await world.opened();
  world.last.frame(batch(10, 12));
  await settle();
  world.last.drop();
  await again(world, { sequence: 20, resume: true });
  assert.equal(world.last.sentOf('join')[0].after, 12);
  world.last.frame({ ...batch(17, 20), previous: 12, repair: { outcome: 'partial', skipped: 5 } });
  world.last.frame({ ...batch(20, 22), left_out: { chat: 4 } });
  await settle();
  assert.deepEqual(room.sequences, [11, 12, 18, 19, 20, 21, 22]);
  assert.deepEqual(room.losses, [{ kind: 'skipped', count: 5 }, { kind: 'left_out', count: 4 }]);
});

test('doubled and reordered frames give each message once, in order', async () => {
  const world = new World();
  const room = await world.opened();
  const frames = [batch(10, 12), batch(12, 13), batch(13, 16), batch(16, 18)];
  const order = [3, 1, 0, 0, 2, 1, 3, 2];
  for (const number of order) world.last.frame(frames[number]);
  await settle();
  assert.deepEqual(room.sequences, [11, 12, 13, 14, 15, 16, 17, 18]);
});

test('a gap is repaired; a repair without an answer starts the connection again', async () => {
  const world = new World();
  const room = await world.opened();
  world.last.frame(batch(12, 13));
  await settle();
  assert.deepEqual(world.last.sentOf('repair'), [{ type: 'repair', after: 10, before: 13 }]);
  await pass(5_100);
  assert.equal(world.sockets[0].isClosed, true);
  await again(world, { sequence: 13, resume: true });
  world.last.frame({ ...batch(10, 13), repair: { outcome: 'complete', skipped: 0 } });
  await settle();
  assert.deepEqual(room.sequences, [11, 12, 13]);
});

test('a range that the server no longer has is a loss, and the room goes on', async () => {
  const world = new World();
  const room = await world.opened();
  world.last.drop();
  await again(world, { sequence: 90, resume: true });
  world.last.frame({ type: 'batch', room: 'demo', previous: 90, sequence: 90, messages: [], repair: { outcome: 'gone', skipped: 0 } });
  world.last.frame(batch(90, 91));
  await settle();
  assert.deepEqual([room.losses, room.sequences], [[{ kind: 'gone', count: 0 }], [91]]);
});

test('frames before the reading part is loaded wait for it', async () => {
  const world = new World();
  const room = world.join();
  await settle();
  world.last.open();
  world.last.frame(HELLO);
  world.last.frame(batch(10, 12));
  world.last.frame(batch(12, 13));
  await settle();
  assert.deepEqual(room.sequences, [11, 12, 13]);
});

test('a move makes the new connection before it breaks the old one, and doubles are dropped', async () => {
  const world = new World();
  const room = await world.opened();
  const [old] = world.sockets;
  old.frame({ type: 'reconnect', after_ms: 1_000, deadline_ms: 9_000, endpoints: [{ transport: 'ws', url: 'ws://two/ws', gateway: 'g2' }], message: 'drain' });
  await pass(900);
  assert.equal(world.sockets.length, 1);
  await pass(200);
  assert.deepEqual([world.last.url, room.state.kind, room.state.reason.code], ['ws://two/ws', 'moving', 'drain']);
  old.frame(batch(10, 12));
  await settle();
  world.last.open();
  await settle();
  assert.deepEqual([world.last.sentOf('join')[0].after, old.isClosed, room.sequences], [12, false, [11, 12]]);
  world.last.frame({ ...HELLO, sequence: 13, resume: true });
  world.last.frame({ ...batch(11, 13), repair: { outcome: 'complete', skipped: 0 } });
  old.frame(batch(12, 14));
  await settle();
  assert.deepEqual([old.isClosed, room.sequences, room.state.kind, room.losses], [true, [11, 12, 13], 'open', []]);
});

test('a move that fails leaves the room open', async () => {
  const world = new World();
  const room = await world.opened();
  const [old] = world.sockets;
  old.frame({ type: 'reconnect', after_ms: 0, deadline_ms: 9_000, endpoints: [{ transport: 'ws', url: 'ws://two/ws' }], message: 'drain' });
  await pass(10);
  world.last.drop();
  await settle();
  assert.deepEqual([room.state.kind, room.state.transport, old.isClosed], ['open', 'ws', false]);
  old.frame(batch(10, 11));
  await settle();
  assert.deepEqual(room.sequences, [11]);
});

test('unknown frames, signals and bodies are left out', async () => {
  const world = new World();
  const room = await world.opened();
  world.last.frame({ type: 'hologram', sequence: 11 });
  world.last.frame({ ...batch(10, 13), messages: [{ sequence: 11, class: 'chat', body: { type: 'smell' } }, { sequence: 12, class: 'signal', body: null }, chat(13)], extra: 1 });
  world.last.frame({ ...batch(13, 14), room: 'demo', messages: [{ sequence: 14, class: 'signal', body: { type: 'signal', signal: 'future', state: { unknown: 1 } } }] });
  await settle();
  assert.deepEqual([room.sequences, room.state.kind], [[13, 14], 'open']);
});

for (const [name, text] of Object.entries({
  'no JSON': '{"type":',
  'a batch without a range': JSON.stringify({ type: 'batch', messages: [] }),
  'a position that is no number': JSON.stringify({ ...HELLO, sequence: '12' }),
  'more than 8 MiB': `"${'x'.repeat(8 * 1024 * 1024)}"`,
})) {
  test(`a frame with ${name} starts the connection again`, async () => {
    const world = new World();
    const room = await world.opened();
    world.last.text(text);
    await settle();
    assert.equal(world.sockets[0].isClosed, true);
    await again(world, { sequence: 11, resume: true });
    assert.deepEqual([room.state.kind, world.last.sentOf('join')[0].after], ['open', 10]);
  });
}

test('a server of version 1.0 and one without a subprotocol are joined without facts', async () => {
  for (const protocol of ['barrage.v1.json', '']) {
    const world = new World();
    const room = world.join();
    await settle();
    world.last.open(protocol);
    world.last.frame({ ...HELLO, ping_interval_ms_max: undefined });
    await settle();
    assert.deepEqual([room.state.kind, 'client' in world.last.sentOf('join')[0]], ['open', false]);
  }
});

test('a wall clock that jumps in either direction changes nothing', async () => {
  for (const jumpMs of [-3_600_000, 7 * 24 * 3_600_000]) {
    const world = new World();
    const room = await world.opened();
    vi.setSystemTime(Date.now() + jumpMs);
    await pass(6_000);
    const ping = world.last.sentOf('ping').at(-1);
    // A jump ahead may be a sleep of the machine: the client examines the connection.
    if (ping) world.last.frame({ type: 'pong', id: ping.id, time_ms: 1 });
    world.last.frame(batch(10, 11));
    await pass(6_000);
    assert.deepEqual([room.state.kind, room.sequences, world.sockets.length], ['open', [11], 1], `${jumpMs}`);
  }
});

test('a tab that was frozen for an hour examines its connection, and resumes on another', async () => {
  const listeners = new Set();
  const document = { hidden: true, addEventListener: (_, listener) => listeners.add(listener), removeEventListener: () => undefined };
  vi.stubGlobal('document', document);
  const world = new World();
  const room = await world.opened({ background: 'all' });
  // No timer runs in a frozen tab; both clocks go on.
  const now = performance.now();
  vi.spyOn(performance, 'now').mockImplementation(() => now + 3_600_000);
  vi.setSystemTime(Date.now() + 3_600_000);
  document.hidden = false;
  for (const listener of [...listeners]) listener();
  await settle();
  assert.equal(world.last.sentOf('ping').length, 1);
  vi.mocked(performance.now).mockRestore();
  world.last.drop();
  await again(world, { sequence: 500, resume: true });
  assert.equal(world.last.sentOf('join')[0].after, 10);
  assert.equal(room.state.kind, 'open');
  vi.unstubAllGlobals();
});

test('a storage that is full, forbidden or broken changes nothing', async () => {
  const full = { getItem: () => null, setItem: () => { throw new DOMException('full', 'QuotaExceededError'); }, removeItem: () => undefined };
  const forbidden = { getItem: () => { throw new DOMException('no', 'SecurityError'); }, setItem: () => { throw new DOMException('no', 'SecurityError'); }, removeItem: () => { throw new DOMException('no', 'SecurityError'); } };
  const broken = { getItem: () => '{"networks":{"x":null},"kind":[],"version":1', setItem: () => undefined, removeItem: () => undefined };
  for (const storage of [full, forbidden, broken, null]) {
    const world = new World();
    const room = await world.opened({ storage });
    assert.equal(room.state.kind, 'open');
    room.close();
  }
  Object.defineProperty(globalThis, 'localStorage', { configurable: true, get: () => { throw new DOMException('no', 'SecurityError'); } });
  const world = new World();
  const room = await world.opened({ storage: undefined });
  assert.equal(room.state.kind, 'open');
  delete globalThis.localStorage;
});

// The inbox without a browser and a server: the shared vectors, and what a device asks, keeps and sends.

import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { onTestFinished, test } from 'vitest';
import { Book } from '../src/letters/book.ts';
import { connectInbox, MemoryStore, openInbox } from '../src/letters.ts';
import { batch, HELLO, pass, refused, settle, until, World } from './world.mjs';

const vectors = JSON.parse(await readFile(new URL('../../../../services/client/vectors/inbox.json', import.meta.url), 'utf8'));
const D = 'd.00112233445566778899aabbccddeeff';

for (const { name, steps } of vectors.cases) {
  test(`the book follows the vector: ${name}`, () => {
    const book = new Book(vectors.user);
    steps.forEach(({ frame, answer, asks = null, version, unread, rows = {} }, step) => {
      let found = null;
      if (frame) found = book.take(structuredClone(frame));
      if (answer) found = book.answered(structuredClone(answer)) ?? found;
      assert.deepEqual([found, book.version, book.unread], [asks, version, unread], `step ${step}`);
      for (const [id, expected] of Object.entries(rows)) {
        const { group, mentions = [], deleted = false } = book.rows.get(id);
        assert.deepEqual({ title: group.title, mentions, deleted }, expected, `step ${step}`);
      }
    });
  });
}

const row = (head, unread, more = {}) => ({ conversation: D, kind: 'direct', peer: 'bob', head, at_ms: head, unread, read: head - unread, ...more });
const item = (position, more = {}) => ({ position, sender: 'bob', at_ms: position, kind: 'text', body: { text: `text ${position}` }, ...more });

/** A room of ann with an inbox in memory, attached, and behind its first answer. */
async function opened(world, answer = { cursor: 'c5', version: 5, unread: 1, conversations: [row(1, 1, { items: [item(1)] })] }) {
  const store = new MemoryStore();
  world.answers['/v1/inbox'] = answer;
  const room = await world.opened({ token: () => 'a.b.c' }, { user: 'ann' });
  const inbox = openInbox(room, { store: async () => store });
  await settle();
  assert.equal(world.last.sentOf('attach').length, 1);
  world.last.frame({ type: 'attached', user: 'ann' });
  await settle();
  return { inbox, room, store };
}

test('an attached device asks once, and mail keeps it in step without a request', async () => {
  const world = new World();
  const { inbox, store } = await opened(world);
  assert.deepEqual([inbox.unread, inbox.user, world.asked('/v1/inbox').length], [1, 'ann', 1]);
  const arrived = [];
  inbox.on('items', ({ items }) => arrived.push(...items.map(({ position }) => position)));
  world.last.frame({ type: 'mail', previous: 5, version: 6, unread_direct: 2, conversations: [row(2, 2, { items: [item(2)] })] });
  await settle();
  assert.deepEqual([inbox.unread, arrived, world.asked('/v1/inbox').length], [2, [2], 1]);
  assert.deepEqual((await inbox.items(D)).map(({ position }) => position), [1, 2], 'both are on the device');
  assert.deepEqual((await store.load()).stand, { cursor: 'c5', version: 6, direct: 2 });
});

test('a gap is asked for with the cursor, and a bell of many is spread', async () => {
  const world = new World();
  const { inbox } = await opened(world);
  world.answers['/v1/inbox'] = { cursor: 'c8', version: 8, unread: 3, conversations: [row(3, 3)] };
  world.last.frame({ type: 'mail', previous: 7, version: 8, unread_direct: 3, conversations: [row(3, 3)] });
  await settle();
  const asked = world.asked('/v1/inbox');
  assert.equal(asked.length, 2);
  assert.equal(new URL(asked[1].url).searchParams.get('cursor'), 'c5');
  assert.equal(inbox.unread, 3);
  world.answers['/v1/inbox'] = { cursor: 'c8', version: 8, unread: 3 };
  world.last.frame({ type: 'bell', version: 8 });
  world.last.frame({ type: 'bell', spread_ms: 10_000 });
  await settle();
  assert.equal(world.asked('/v1/inbox').length, 2, 'the version is known, and the other one waits');
  await pass(10_000);
  assert.equal(world.asked('/v1/inbox').length, 3);
});

test('answers that mail has overtaken are asked for ever less often', async () => {
  const world = new World();
  const { inbox } = await opened(world);
  world.answers['/v1/inbox'] = { cursor: 'c4', version: 4, unread: 0 };
  world.last.frame({ type: 'bell' });
  await settle();
  // In steps: an answer takes some turns of the event loop.
  const long = async (ms) => {
    for (let passed = 0; passed < ms; passed += 250) await pass(250);
  };
  const asked = () => world.asked('/v1/inbox').length;
  assert.equal(asked(), 2, 'the older answer is not asked for again at once');
  await long(60_000);
  assert.ok(asked() >= 8 && asked() <= 24, `${asked()} requests in a minute`);
  const before = asked();
  await long(60_000);
  assert.ok(asked() - before <= 12, 'two minutes in: a request in half of 30 s on average');
  world.answers['/v1/inbox'] = { cursor: 'c6', version: 6, unread: 2, conversations: [row(2, 2)] };
  await long(30_000);
  assert.equal(inbox.unread, 2);
  const settled = asked();
  await long(120_000);
  assert.equal(asked(), settled, 'nothing is missing any more');
});

test('a device that did not keep an answer asks for it again', async () => {
  const world = new World();
  const { inbox, store } = await opened(world);
  const save = store.save.bind(store);
  store.save = () => Promise.reject(new Error('the disk is full'));
  world.answers['/v1/inbox'] = { cursor: 'c6', version: 6, unread: 2, conversations: [row(2, 2)] };
  world.last.frame({ type: 'bell' });
  await settle();
  store.save = save;
  world.last.frame({ type: 'bell' });
  await settle();
  const cursors = world.asked('/v1/inbox').map(({ url }) => new URL(url).searchParams.get('cursor'));
  assert.deepEqual(cursors, [null, 'c5', 'c5']);
  assert.equal((await store.load()).stand.cursor, 'c6');
  assert.equal(inbox.unread, 2);
});

test('letters have an id, and reads of a moment are one request', async () => {
  const world = new World();
  const { inbox } = await opened(world);
  world.answers['/v1/users/bob/messages'] = { outcome: 'accepted', sequence: 7, lane: 0, conversation: D };
  const written = await inbox.write('bob', { text: 'hello' });
  assert.deepEqual([written.kind, written.conversation], ['accepted', D]);
  const body = JSON.parse(world.asked('/v1/users/bob/messages')[0].init.body);
  assert.deepEqual(body, { type: 'text', id: written.id, text: 'hello' });
  world.answers[`/v1/conversations/${D}/messages`] = refused(403, 'blocked');
  const refusal = await inbox.reply(D, { sticker: 'wave', replyTo: 1 });
  assert.deepEqual([refusal.kind, refusal.code], ['refused', 'blocked']);
  await inbox.reply(D, { media: 'm.s', text: 'look', replyTo: 1 });
  await inbox.reply(D, { media: 'm.s', kind: 'file' });
  const bodies = world.asked(`/v1/conversations/${D}/messages`).map(({ init }) => JSON.parse(init.body));
  for (const one of bodies) assert.match(one.id, /^\w{12}$/);
  assert.deepEqual(bodies.map(({ id, ...rest }) => rest), [
    { type: 'sticker', sticker: 'wave', reply_to: 1 },
    { type: 'image', media: 'm.s', text: 'look', reply_to: 1 },
    { type: 'file', media: 'm.s' },
  ]);
  world.answers['/v1/inbox/reads'] = { within_ms: 200 };
  inbox.read(D, 1);
  inbox.read(D, 1);
  await pass(1_000);
  const reads = world.asked('/v1/inbox/reads').map(({ init }) => JSON.parse(init.body));
  assert.deepEqual(reads, [{ reads: [{ conversation: D, position: 1 }] }]);
});

test('a recall takes the body from the item that the device keeps', async () => {
  const world = new World();
  const { inbox } = await opened(world);
  const { body: _, kind: __, ...recall } = item(2, { recalls: 1 });
  world.last.frame({ type: 'mail', previous: 5, version: 6, unread_direct: 1, conversations: [row(2, 1, { items: [recall] })] });
  await settle();
  const [first] = await inbox.items(D);
  assert.deepEqual([first.position, first.recalled, first.body], [1, true, undefined]);
});

test('a reconnect attaches again, and a closed inbox detaches', async () => {
  const world = new World();
  const { inbox } = await opened(world);
  world.last.drop();
  await pass(2_000);
  world.last.open();
  world.last.frame({ type: 'hello', room: 'demo', user: 'ann', connection: 'c', ping_interval_ms: 25_000, sequence: 10, resume: false, online: 3 });
  await settle();
  assert.equal(world.last.sentOf('attach').length, 1);
  inbox.close();
  assert.equal(world.last.sentOf('detach').length, 1);
});

test('changes go to their routes, and a refusal is a value', async () => {
  const world = new World();
  const { inbox } = await opened(world);
  const path = `/v1/conversations/${D}`;
  const preferences = { policy: 'known', receipts: 'hidden' };
  const cases = [
    [() => inbox.recall(D, 3), 'POST', `${path}/recall`, { position: 3 }],
    [() => inbox.hide(D, 2), 'POST', `${path}/hide`, { position: 2 }],
    [() => inbox.clear(D), 'POST', `${path}/clear`, { position: 1 }],
    [() => inbox.see(D, { notify: 'none' }), 'PATCH', path, { notify: 'none' }],
    [() => inbox.prefer(preferences), 'PUT', '/v1/inbox/preferences', preferences],
    [() => inbox.block('a/b'), 'PUT', '/v1/blocks/a%2Fb', undefined],
    [() => inbox.unblock('bob'), 'DELETE', '/v1/blocks/bob', undefined],
    [() => inbox.report({ user: 'bob', conversation: D, reason: 'spam' }), 'POST', '/v1/reports', { user: 'bob', conversation: D, reason: 'spam' }],
  ];
  for (const [run, method, at, body] of cases) {
    world.answers[at] = { sequence: 1, lane: 0 };
    assert.deepEqual(await run(), { kind: 'accepted' });
    const { init } = world.asked(at).at(-1);
    assert.deepEqual([init.method, init.body && JSON.parse(init.body)], [method, body], at);
  }
  world.answers['/v1/inbox/preferences'] = { preferences, blocked: ['bob'] };
  assert.deepEqual(await inbox.preferences(), { preferences, blocked: ['bob'] });
  world.answers[`${path}/recall`] = refused(403, 'forbidden');
  assert.equal((await inbox.recall(D, 3)).code, 'forbidden');
});

test('a hidden item is told of, and what was cleared is shown no more', async () => {
  const world = new World();
  const { inbox } = await opened(world);
  const hidden = [];
  inbox.on('hidden', (places) => hidden.push(...places));
  world.last.frame({ type: 'mail', previous: 5, version: 6, unread_direct: 2, conversations: [row(3, 2, { items: [item(2), item(3)] })] });
  world.last.frame({ type: 'mail', previous: 6, version: 7, unread_direct: 1, conversations: [row(3, 1)], hidden: [{ conversation: D, position: 2 }] });
  await settle();
  assert.deepEqual(hidden, [{ conversation: D, position: 2 }]);
  world.last.frame({ type: 'mail', previous: 7, version: 8, unread_direct: 0, conversations: [row(3, 0, { after: 3 })] });
  await settle();
  assert.deepEqual(await inbox.items(D), []);
});

test('a user without an inbox is not asked for again', async () => {
  const world = new World();
  await opened(world, refused(403, 'forbidden'));
  await pass(60_000);
  assert.equal(world.asked('/v1/inbox').length, 1);
});

test('an inbox without a letter is known with its first answer', async () => {
  const world = new World();
  world.answers['/v1/inbox'] = { cursor: 'c0', version: 0, unread: 0 };
  const room = await world.opened({ token: () => 'a.b.c' }, { user: 'ann' });
  let changes = 0;
  const inbox = openInbox(room, { store: async () => new MemoryStore() });
  inbox.on('change', () => (changes += 1));
  await settle();
  world.last.frame({ type: 'attached', user: 'ann' });
  await settle();
  world.last.frame({ type: 'bell' });
  await settle();
  assert.deepEqual([world.asked('/v1/inbox').length, changes], [2, 1]);
});

/** A connection for the inbox alone; entry names gateways for any room. */
function connected(world, more = {}) {
  const { fetch, WebSocket, storage } = world;
  const downlinks = ['ws', 'sse', 'poll'].map((transport) => ({ transport, url: `${transport === 'ws' ? 'ws' : 'http'}://g.example/v1/rooms/{room}/${transport}`, gateway: 'g' }));
  world.answers['/v1/entry/fallback'] = { ...world.entry, downlinks };
  world.answers['/v1/inbox'] = { cursor: 'c5', version: 5, unread: 1, conversations: [row(1, 1, { items: [item(1)] })] };
  const connection = connectInbox({ entry: 'http://chat.example', token: () => 'a.b.c', fetch, WebSocket, storage, ...more });
  onTestFinished(() => connection.close());
  return { connection, inbox: openInbox(connection, { store: async () => new MemoryStore() }) };
}
const greeting = { type: 'attached', user: 'ann', connection: { id: 'c-1', ping_interval_ms: 25_000 } };

test('a page without a room connects for the inbox, asks once, and has mail', async () => {
  const world = new World();
  const { connection, inbox } = connected(world);
  await settle();
  assert.equal(world.last.url, 'ws://g.example/v1/inbox/ws');
  world.last.open();
  await settle();
  assert.deepEqual(world.last.sentOf('join').map(({ token, after }) => [token, after]), [['a.b.c', undefined]]);
  world.last.frame(greeting);
  await settle();
  assert.deepEqual([connection.state.kind, inbox.user, inbox.unread, world.asked('/v1/inbox').length], ['open', 'ann', 1, 1]);
  world.last.frame({ type: 'mail', previous: 5, version: 6, unread_direct: 2, conversations: [row(2, 2, { items: [item(2)] })] });
  await settle();
  assert.deepEqual([inbox.unread, world.asked('/v1/inbox').length, world.last.sentOf('attach').length], [2, 1, 0]);
  // The heartbeat is that of the first frame.
  await pass(26_000);
  assert.equal(world.last.sentOf('ping').length, 1);
  world.answers['/v1/inbox'] = { cursor: 'c6', version: 6, unread: 2 };
  // The next connection is attached by itself, and asks for what came meanwhile.
  world.last.drop();
  const before = world.sockets.length;
  await until('another connection', () => world.sockets.length > before);
  world.last.open();
  world.last.frame(greeting);
  await settle();
  assert.deepEqual([connection.state.kind, world.asked('/v1/inbox').length], ['open', 2]);
});

test('a refused token ends a connection for the inbox, and a drain names inbox endpoints', async () => {
  const world = new World();
  const { connection } = connected(world);
  await settle();
  world.last.open();
  world.last.frame(greeting);
  await settle();
  world.last.frame({ type: 'reconnect', after_ms: 0, deadline_ms: 5_000, endpoints: [{ transport: 'ws', url: 'ws://h.example/v1/inbox/ws' }], message: 'drain' });
  await pass(10);
  assert.equal(world.last.url, 'ws://h.example/v1/inbox/ws');
  world.last.open();
  world.last.frame(greeting);
  await settle();
  assert.equal(connection.state.kind, 'open');
  world.last.frame({ type: 'error', code: 'unauthorized', message: 'no' });
  world.last.drop(4010);
  await until('the end', () => connection.state.kind === 'ended', 30_000);
  assert.equal(connection.state.code, 'unauthorized');
});

test('where WebSockets do not pass, bells of an event stream take the place of mail, and nothing is polled', async () => {
  const world = new World();
  let write;
  const stream = () => {
    const body = new ReadableStream({ start: (controller) => (write = (frame) => controller.enqueue(new TextEncoder().encode(`data: ${JSON.stringify(frame)}\n\n`))) });
    return new Response(body, { headers: { 'Content-Type': 'text/event-stream' } });
  };
  const fetch = world.fetch;
  world.fetch = async (url, init) => (new URL(url).pathname === '/v1/inbox/sse' ? (world.requests.push({ url, init }), stream()) : fetch(url, init));
  const { connection, inbox } = connected(world, { WebSocket: null, fetch: (...given) => world.fetch(...given) });
  await until('the event stream', () => write !== undefined);
  write(greeting);
  await until('the inbox', () => inbox.unread === 1);
  assert.deepEqual([connection.state.kind, connection.state.transport], ['open', 'sse']);
  assert.equal(world.asked('/v1/inbox/sse')[0].init.headers.Authorization, 'Bearer a.b.c');
  await pass(20_000);
  assert.equal(world.asked('/v1/inbox').length, 1);
  world.answers['/v1/inbox'] = { cursor: 'c6', version: 6, unread: 2, conversations: [row(2, 2)] };
  write({ type: 'bell' });
  await until('the answer', () => inbox.unread === 2);
  assert.equal(new URL(world.asked('/v1/inbox')[1].url).searchParams.has('wait_secs'), false);
});

test('a room over an event stream gets bells, and begins its stream again for them once', async () => {
  const world = new World();
  const streams = [];
  const fetch = async (url, init) => {
    const { pathname, searchParams } = new URL(url);
    // The server waits, where nothing has changed.
    if (pathname === '/v1/inbox' && searchParams.has('wait_secs')) await new Promise((resolve) => setTimeout(resolve, 5_000));
    if (pathname !== '/v1/rooms/demo/sse') return world.fetch(url, init);
    const stream = { url: new URL(url), isCut: false };
    init.signal.addEventListener('abort', () => (stream.isCut = true));
    const body = new ReadableStream({ start: (controller) => (stream.write = (frame) => controller.enqueue(new TextEncoder().encode(`data: ${JSON.stringify(frame)}\n\n`))) });
    streams.push(stream);
    return new Response(body, { headers: { 'Content-Type': 'text/event-stream' } });
  };
  world.entry.downlinks = [{ transport: 'sse', url: 'http://g.example/v1/rooms/demo/sse?ticket=one', gateway: 'g' }];
  world.answers['/v1/inbox'] = { cursor: 'c5', version: 5, unread: 1, conversations: [row(1, 1, { items: [item(1)] })] };
  const room = world.join({ token: () => 'a.b.c', fetch, WebSocket: null });
  const inbox = openInbox(room, { store: async () => new MemoryStore() });
  await until('a stream', () => streams.length === 1);
  streams[0].write({ ...HELLO, user: 'ann' });
  await until('another stream', () => streams.length === 2);
  const query = ({ url: { searchParams } }) => ['inbox', 'after', 'ticket'].map((name) => searchParams.get(name));
  assert.deepEqual(streams.map(query), [[null, null, 'one'], ['true', '10', null]]);
  assert.ok(streams[0].isCut);
  streams[1].write({ ...HELLO, user: 'ann', resume: true });
  streams[1].write({ type: 'attached', user: 'ann' });
  streams[1].write(batch(10, 11));
  await until('the inbox', () => inbox.unread === 1 && room.sequences.length === 1);
  await pass(10_000);
  const asked = world.asked('/v1/inbox').length;
  await pass(20_000);
  streams[1].write({ type: 'batch', room: 'demo', previous: 11, sequence: 11, messages: [] });
  await pass(10_000);
  assert.equal(world.asked('/v1/inbox').length, asked, 'nothing is asked by a timer');
  world.answers['/v1/inbox'] = { cursor: 'c6', version: 6, unread: 2, conversations: [row(2, 2)] };
  streams[1].write({ type: 'bell' });
  await settle();
  assert.deepEqual([inbox.unread, world.asked('/v1/inbox').length, streams.length, room.state.kind], [2, asked + 1, 2, 'open']);
});

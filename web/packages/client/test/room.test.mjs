// A visit to a room: states, messages, sending, and the end, with the test's clock and sockets.

import assert from 'node:assert/strict';
import { test, vi } from 'vitest';
import { batch, chat, HELLO, pass, refused, settle, until, World } from './world.mjs';

const MESSAGES = '/v1/rooms/demo/messages';

test('a room goes through its states, each with its reason and its moment', async () => {
  const world = new World();
  const room = await world.opened({ token: () => 'a.b.c' });
  assert.deepEqual(world.last.sentOf('join').map(({ token, after, client }) => [token, after, client.platform]), [['a.b.c', undefined, 'web']]);
  assert.deepEqual(room.states.map(({ kind, reason }) => [kind, reason.code]), [['connecting', 'start'], ['open', 'joined']]);
  assert.equal(room.state.transport, 'ws');
  assert.equal(room.online, 3);
  assert.deepEqual(await room.uplinks(), ['http://up.example']);
  world.last.drop(4103);
  await settle();
  assert.deepEqual([room.state.kind, room.state.reason.code, room.state.sinceMs], ['waiting', '4103', Date.now()]);
  assert.ok(room.state.untilMs >= Date.now());
});

test('messages come in batches with parsed bodies, to listeners and to loops', async () => {
  const world = new World();
  const room = await world.opened();
  const heard = [];
  const off = room.on('batch', ({ messages }) => heard.push(...messages.map(({ body }) => body.text)));
  const looped = [];
  const loop = (async () => {
    for await (const { messages } of room) looped.push(...messages.map(({ sequence }) => sequence));
  })();
  vi.spyOn(console, 'error').mockImplementation(() => undefined);
  room.on('batch', () => {
    throw new Error('a listener');
  });
  world.last.frame(batch(10, 12));
  await settle();
  off();
  world.last.frame(batch(12, 13));
  await settle();
  assert.deepEqual(heard, ['text 11', 'text 12']);
  assert.deepEqual(room.sequences, [11, 12, 13]);
  room.close();
  await loop;
  assert.deepEqual(looped, [11, 12, 13]);
});

test('a loop that is too slow misses chat, which is counted, and no gift', async () => {
  const world = new World();
  const room = await world.opened();
  const loop = room[Symbol.asyncIterator]();
  for (let at = 10; at < 610; at += 2) {
    const gift = { sequence: at + 2, class: 'gift', body: { type: 'gift', id: `g-${at}`, user: 'u', name: 'n', gift: { name: 'rose', count: 1 } } };
    world.last.frame({ ...batch(at, at + 2), messages: [chat(at + 1), gift] });
    await settle();
  }
  room.close();
  const got = { chat: 0, gift: 0, missed: 0, batches: 0 };
  for (let next = await loop.next(); !next.done; next = await loop.next()) {
    got.batches += 1;
    got.missed += next.value.missed;
    for (const message of next.value.messages) got[message.class] += 1;
  }
  assert.equal(got.gift, 300);
  assert.equal(got.chat + got.missed, 300);
  assert.ok(got.missed > 0 && got.batches <= 256, JSON.stringify(got));
});

test('a post is broadcast, held, or refused with a time to wait', async () => {
  const world = new World();
  const room = await world.opened();
  const send = () => room.send({ type: 'chat', text: 'hello', id: 'c-1' });
  world.answers[MESSAGES] = { outcome: 'broadcast', sequence: 11 };
  assert.deepEqual(await send(), { kind: 'broadcast', id: 'c-1', sequence: 11 });
  assert.deepEqual(JSON.parse(world.asked(MESSAGES)[0].init.body), { type: 'chat', text: 'hello', id: 'c-1' });
  world.answers[MESSAGES] = { outcome: 'held', limit: { rule: 'moderation:words', limit: 0 }, review: 'rv-1' };
  assert.deepEqual(await send(), { kind: 'held', id: 'c-1', rule: 'moderation:words', limit: { rule: 'moderation:words', limit: 0 }, review: 'rv-1' });
  world.answers[MESSAGES] = refused(429, 'rate_limited', { retry_after_ms: 9_000, limit: { rule: 'slow_mode', limit: 1 } });
  assert.deepEqual(await send(), { kind: 'refused', id: 'c-1', code: 'rate_limited', message: 'rate_limited', waitMs: 9_000, limit: { rule: 'slow_mode', limit: 1 } });
  world.answers[MESSAGES] = undefined;
  const lost = send();
  await pass(60_000);
  assert.deepEqual([(await lost).kind, (await lost).code], ['refused', 'network']);
});

test('actions, votes, reports and the history are requests with values as answers', async () => {
  const world = new World();
  const room = await world.opened();
  world.answers['/v1/rooms/demo/actions'] = ({ body }) => ({ id: JSON.parse(body).id, sequence: 20, duplicate: false });
  assert.deepEqual(await room.act({ type: 'recall', sequence: 4 }, { id: 'a-1', reason: 'spam' }), { kind: 'done', id: 'a-1', sequence: 20, untilMs: null, isDuplicate: false });
  world.answers['/v1/rooms/demo/polls/p-1/votes'] = { poll: 'p-1', option: 2, duplicate: false };
  assert.deepEqual(await room.vote('p-1', 2), { kind: 'counted', poll: 'p-1', option: 2 });
  world.answers['/v1/rooms/demo/reports'] = { review: 'rv-1', duplicate: false };
  assert.deepEqual(await room.report({ user: 'u2', sequence: 4 }), { kind: 'reported', review: 'rv-1' });
  world.answers['/v1/rooms/demo/history'] = { messages: [{ ...chat(4), at_ms: 7, offset_ms: 3 }, { sequence: 'x' }], more: true, next: { before: 4 } };
  const { messages, more, next } = await room.history({ before: 5, limit: 10 });
  assert.deepEqual([messages[0].body.text, messages.length, messages[0].atMs, messages[0].offsetMs, more, next], ['text 4', 1, 7, 3, true, { before: 4 }]);
});

test('the state of the room is merged from hello and signals, in any order', async () => {
  const world = new World();
  const settings = (version, title) => ({ settings: { version, value: { title } } });
  const room = await world.opened({}, { state: settings(5, 'new') });
  const views = [];
  room.on('roomState', ({ settings: of }) => views.push(of.title));
  const signal = (sequence, state) => ({ sequence, class: 'signal', body: { type: 'signal', signal: 'state', state } });
  world.last.frame({ ...batch(10, 12), messages: [signal(11, settings(4, 'old')), signal(12, settings(6, 'newer'))] });
  await settle();
  assert.equal(room.roomState.settings.title, 'newer');
  assert.deepEqual(views, ['newer']);
});

test('a notice is acknowledged, and given out once', async () => {
  const world = new World();
  const room = await world.opened();
  const notices = [];
  room.on('notice', ({ sequence, raw }) => notices.push([sequence, raw.text]));
  const notice = { type: 'notice', sequence: 7, body: { text: 'read' } };
  world.last.frame(notice);
  world.last.frame(notice);
  await pass(500);
  assert.deepEqual(notices, [[7, 'read']]);
  assert.deepEqual(world.last.sentOf('ack'), [{ type: 'ack', sequences: [7, 7] }]);
});

test('a closed room leaves no timer, no request and no call', async () => {
  const world = new World();
  const room = await world.opened();
  const { last } = world;
  last.frame({ type: 'reconnect', after_ms: 5_000, deadline_ms: 9_000, message: 'drain' });
  last.frame(batch(12, 13));
  last.frame({ type: 'notice', sequence: 7, body: {} });
  world.answers[MESSAGES] = 'silent';
  const sent = room.send({ type: 'chat', text: 'x' });
  await settle();
  const signal = world.asked(MESSAGES)[0].init.signal;
  const states = [];
  room.on('state', ({ kind }) => states.push(kind));
  room.close();
  assert.deepEqual(states, ['ended']);
  assert.equal((await sent).kind, 'refused');
  assert.equal(signal.aborted, true);
  assert.equal(last.isClosed, true);
  assert.deepEqual([last.onopen, last.onmessage, last.onclose], [null, null, null]);
  await settle();
  assert.equal(vi.getTimerCount(), 0);
  const asked = world.requests.length;
  await pass(3_600_000);
  assert.deepEqual([world.requests.length, world.sockets.length, states], [asked, 1, ['ended']]);
  assert.equal((await room.send({ type: 'chat', text: 'x' })).code, 'closed');
  assert.equal((await room[Symbol.asyncIterator]().next()).done, true);
  room.close();
});

test('a room may be closed at every moment of its start', async () => {
  for (let rounds = 0; rounds < 12; rounds += 1) {
    const world = new World();
    const room = world.join({ token: async () => 'a.b.c' });
    for (let round = 0; round < rounds; round += 1) await Promise.resolve();
    room.close();
    await settle();
    await pass(60_000);
    assert.equal(vi.getTimerCount(), 0, `after ${rounds} turns`);
    assert.ok(world.sockets.every((socket) => socket.isClosed), `after ${rounds} turns`);
  }
});

test('a viewer who was removed comes back at the end of the kick', async () => {
  const world = new World();
  const room = await world.opened({ token: () => 'a.b.c' }, { user: 'u1' });
  const untilMs = Date.now() + 60_000;
  world.last.frame({ ...batch(10, 11), messages: [{ sequence: 11, class: 'signal', body: { type: 'signal', signal: 'kick', user: 'u1', until_ms: untilMs } }] });
  await settle();
  world.last.drop(4016);
  await settle();
  assert.deepEqual([room.state.kind, room.state.code, room.state.untilMs], ['ended', 'kicked', untilMs]);
  await pass(59_000);
  assert.equal(world.sockets.length, 1);
  await until('it is back', () => world.sockets.length === 2);
});

test('a closed room is checked from time to time, until it is open', async () => {
  const world = new World();
  world.entry = refused(410, 'room_closed');
  const room = world.join();
  await settle();
  assert.deepEqual([room.state.kind, room.state.code], ['ended', 'room_closed']);
  await pass(20_000);
  assert.ok(world.asked('/v1/entry').length >= 2);
  world.entry = new World().entry;
  await until('it connects', () => world.sockets.length === 1);
  world.last.open();
  world.last.frame(HELLO);
  await settle();
  assert.equal(room.state.kind, 'open');
});

test('without a WebSocket the room comes by an event stream', async () => {
  const world = new World();
  const frames = [`event: hello\ndata: ${JSON.stringify(HELLO)}\n\n`, `data: ${JSON.stringify(batch(10, 11))}\n\n`];
  const fetch = async (url, init) => {
    if (!new URL(url).pathname.endsWith('/sse')) return world.fetch(url, init);
    return new Response(new ReadableStream({ start: (body) => frames.forEach((frame) => body.enqueue(new TextEncoder().encode(frame))) }), {
      headers: { 'Content-Type': 'text/event-stream' },
    });
  };
  const room = world.join({ fetch, WebSocket: null });
  await settle();
  await settle();
  assert.deepEqual([room.state.kind, room.state.transport, room.sequences], ['open', 'sse', [11]]);
});

test('an overlay that polls states it in every poll', async () => {
  const world = new World();
  world.entry = { ...world.entry, downlinks: [{ transport: 'poll', url: 'http://chat.example/v1/rooms/demo/poll', gateway: 'g' }] };
  const polls = [];
  const fetch = async (url, init) => {
    const { pathname, searchParams } = new URL(url);
    if (!pathname.endsWith('/poll')) return world.fetch(url, init);
    polls.push(searchParams);
    if (polls.length > 3) return new Promise(() => undefined);
    const sequence = Math.max(10, Number(searchParams.get('after')));
    return new Response(JSON.stringify({ ...batch(sequence, sequence + 1), repair: { outcome: 'complete', skipped: 0 } }));
  };
  const room = world.join({ fetch, WebSocket: null, platform: 'overlay' });
  await until('it polls again', () => polls.length === 4);
  assert.equal(room.state.transport, 'poll');
  assert.deepEqual(polls.map((query) => query.get('platform')), ['overlay', 'overlay', 'overlay', 'overlay']);
  assert.deepEqual(polls.map((query) => query.has('client')), [true, false, false, false]);
});

/** Plays a document that a test shows and hides. */
function stage() {
  const listeners = new Set();
  const document = { hidden: false, addEventListener: (_, listener) => listeners.add(listener), removeEventListener: (_, listener) => listeners.delete(listener) };
  vi.stubGlobal('document', document);
  const show = (isShown) => {
    document.hidden = !isShown;
    for (const listener of [...listeners]) listener();
  };
  return { listeners, show };
}

test('a server that takes it counts the chat of a page in the background, on each connection', async () => {
  const { show } = stage();
  const world = new World();
  const room = await world.opened({}, { visibility: true });
  const hides = () => world.last.sentOf('visibility').map(({ hidden }) => hidden);
  show(false);
  await pass(29_000);
  assert.deepEqual(hides(), [], 'a short look elsewhere changes nothing');
  await pass(2_000);
  assert.deepEqual(hides(), [true]);
  world.last.frame({ ...batch(10, 20), messages: [], left_out: { chat: 10 } });
  await settle();
  assert.deepEqual(room.losses, []);
  world.last.drop();
  await pass(5_000);
  world.last.open();
  world.last.frame({ ...HELLO, visibility: true, sequence: 20, resume: true });
  await settle();
  assert.deepEqual(hides(), [true], 'a connection begins with all of the chat');
  show(true);
  assert.deepEqual(hides(), [true, false]);
  assert.deepEqual(room.losses, [{ kind: 'hidden', count: 10 }]);
  world.last.frame({ ...batch(20, 23), messages: [], left_out: { chat: 3 } });
  await settle();
  assert.deepEqual(room.losses.at(-1), { kind: 'left_out', count: 3 }, 'a shown page misses what the server leaves out');
  vi.unstubAllGlobals();
});

test('a server of an earlier release gets no frame that it does not know', async () => {
  const { show } = stage();
  const world = new World();
  await world.opened();
  show(false);
  await pass(40_000);
  show(true);
  assert.deepEqual(world.last.sentOf('visibility'), []);
  vi.unstubAllGlobals();
});

test('a page in the background gets the number of chat messages, and every gift', async () => {
  const { listeners, show } = stage();
  const world = new World();
  const room = await world.opened();
  const all = await world.opened({ background: 'all' });
  const [one, other] = world.sockets;
  show(false);
  await pass(10_000);
  for (const socket of [one, other]) socket.frame(batch(10, 11));
  await pass(25_000);
  const gift = { sequence: 13, class: 'gift', body: { type: 'gift', id: 'g', gift: {} } };
  for (const socket of [one, other]) socket.frame({ ...batch(11, 14), messages: [chat(12), gift, chat(14)] });
  await settle();
  assert.deepEqual([room.sequences, all.sequences], [[11, 13], [11, 12, 13, 14]]);
  show(true);
  assert.deepEqual([room.losses, all.losses], [[{ kind: 'hidden', count: 2 }], []]);
  room.close();
  all.close();
  assert.equal(listeners.size, 0);
  vi.unstubAllGlobals();
});

// The caller's token function: called before every connect, with a bounded wait, and aborted at the end.

import assert from 'node:assert/strict';
import { test, vi } from 'vitest';
import { HELLO, pass, settle, until, World } from './world.mjs';

/** Makes a token whose claims say that it has expired. */
const expired = (name) => `a.${btoa(JSON.stringify({ sub: name, exp: 1 }))}.c`;

test('the function is called before every connect, also before a move', async () => {
  const world = new World();
  let calls = 0;
  const room = await world.opened({ token: () => `token.${(calls += 1)}.x` });
  world.last.drop(4200);
  await until('it is back', () => world.sockets.length === 2);
  world.last.open();
  world.last.frame(HELLO);
  await settle();
  world.last.frame({ type: 'reconnect', after_ms: 0, deadline_ms: 5_000, endpoints: [{ transport: 'ws', url: 'ws://two/ws' }], message: '' });
  await pass(1);
  world.last.open();
  assert.deepEqual(world.sockets.map((socket) => socket.sentOf('join')[0].token), ['token.1.x', 'token.2.x', 'token.3.x']);
  assert.equal(room.state.kind, 'moving');
});

for (const [name, token] of Object.entries({
  throws: () => {
    throw new Error('no session');
  },
  rejects: async () => Promise.reject(new Error('no session')),
  'returns something else': () => 5,
})) {
  test(`a function that ${name} makes the room wait and try again, with growing pauses`, async () => {
    const world = new World();
    let calls = 0;
    const room = world.join({ token: (ask) => ((calls += 1), token(ask)) });
    await settle();
    assert.deepEqual([room.state.kind, room.state.reason.code], ['waiting', 'token']);
    assert.match(room.state.reason.message, /no session|number/);
    await pass(10 * 60_000);
    assert.ok(calls >= 15 && calls <= 120, `${calls} calls in ten minutes`);
    assert.equal(world.sockets.length, 0);
  });
}

test('a function that hangs is aborted after 15 s', async () => {
  const world = new World();
  const signals = [];
  const room = world.join({ token: ({ signal }) => (signals.push(signal), new Promise(() => {})) });
  await pass(14_900);
  assert.deepEqual([room.state.kind, signals[0].aborted], ['connecting', false]);
  await pass(200);
  const waiting = room.states.find(({ kind }) => kind === 'waiting');
  assert.deepEqual([waiting?.reason.code, signals[0].aborted], ['token', true]);
  await until('it is called again', () => signals.length === 2);
  room.close();
  assert.equal(signals[1].aborted, true);
});

test('a function that goes on returning a refused token ends the visit, and retry() tries again', async () => {
  const world = new World();
  let token = expired('u1');
  const room = world.join({ token: () => token });
  await settle();
  world.last.open();
  world.last.frame({ type: 'error', code: 'token_expired', message: 'expired' });
  world.last.drop(4011);
  await until('it has ended', () => room.state.kind === 'ended');
  assert.deepEqual([room.state.code, world.sockets.length], ['token_expired', 1]);
  await pass(600_000);
  assert.equal(world.sockets.length, 1);
  token = 'good.good.good';
  room.retry();
  await settle();
  assert.equal(world.sockets.length, 2);
});

test('a function that returns another expired token each time is asked five times', async () => {
  const world = new World();
  let calls = 0;
  const room = world.join({ token: () => expired(`u${(calls += 1)}`) });
  for (let refusals = 0; room.state.kind !== 'ended'; refusals += 1) {
    assert.ok(refusals < 6);
    await until('it connects', () => !world.last?.isRefused && world.last, 60_000);
    world.last.isRefused = true;
    world.last.open();
    world.last.drop(4011);
    await settle();
    await until('it has decided', () => room.state.kind === 'ended' || !world.last.isRefused, 60_000);
  }
  assert.deepEqual([calls, world.sockets.length, room.state.code], [5, 5, 'token_expired']);
});

test('null watches without a token, and without a function the viewer is a guest', async () => {
  const world = new World();
  const anonymous = await world.opened({ token: () => null });
  assert.deepEqual([world.last.sentOf('join')[0].token, anonymous.canSend, world.asked('/v1/guest').length], [undefined, false, 0]);
  const guest = await world.opened({ guest: { name: 'Ann' } }, { user: 'guest-1' });
  assert.deepEqual([world.last.sentOf('join')[0].token, guest.canSend, guest.name, guest.user], ['a.b.c', true, 'Ann', 'guest-1']);
  // A reload of the tab keeps the guest, and another name makes another one.
  await world.opened({ guest: { name: 'Ann' } });
  assert.equal(world.asked('/v1/guest').length, 1);
  await world.opened({ guest: { name: 'Bo' } });
  assert.equal(world.asked('/v1/guest').length, 2);
});

test('a server without guests is watched without a token', async () => {
  const world = new World();
  world.guest = { status: 403, body: { error: { code: 'forbidden', message: '' } } };
  const room = await world.opened();
  assert.deepEqual([room.state.kind, room.canSend], ['open', false]);
  vi.spyOn(Math, 'random').mockReturnValue(0.5);
  world.last.drop(4200);
  await until('it is back', () => world.sockets.length === 2);
  assert.equal(world.asked('/v1/guest').length, 1);
});

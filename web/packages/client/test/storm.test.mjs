// Many rooms that lose their server at once, and one room for a long time: pauses are random and bounded.

import assert from 'node:assert/strict';
import { test, vi } from 'vitest';
import { Backoff } from '../src/ladder/backoff.ts';
import { pass, settle, World } from './world.mjs';

test('the wait before an attempt is between 0 and its ceiling, whatever chance says', () => {
  for (const chance of [0, 0.25, 0.5, 1 - 2 ** -53]) {
    vi.spyOn(Math, 'random').mockReturnValue(chance);
    const backoff = new Backoff(500, 30_000);
    for (let attempt = 0; attempt < 100; attempt += 1) {
      const ceiling = Math.min(30_000, 500 * 2 ** Math.min(attempt, 16));
      const wait = backoff.next();
      assert.ok(wait >= 0 && wait <= ceiling, `${wait} of ${ceiling}`);
    }
  }
});

test('a server cannot ask for a storm, nor for a wait without end', () => {
  vi.spyOn(Math, 'random').mockReturnValue(1);
  for (const [base, max, least, most] of [[0, 0, 20, 20], [-5, -5, 20, 20], [1e12, 1e15, 0, 600_000]]) {
    const backoff = new Backoff(500, 30_000);
    backoff.limits(base, max);
    const wait = backoff.next();
    assert.ok(wait >= least && wait <= most, `${wait}`);
  }
});

test('200 rooms that lose their server at once come back spread over the first second', async () => {
  const worlds = [];
  for (let number = 0; number < 200; number += 1) worlds.push(new World());
  const rooms = worlds.map((world) => world.join({ token: () => 'a.b.c' }));
  await settle();
  for (const { last } of worlds) {
    last.open();
    last.frame({ type: 'hello', room: 'demo', connection: 'c', ping_interval_ms: 25_000, sequence: 1, resume: false, online: 1 });
  }
  await settle();
  const beganMs = performance.now();
  // Refused twice: the first attempt behind a close is at once, the second one has a ceiling of a second.
  for (const { last } of worlds) last.drop(4100);
  for (let round = 0; round < 60; round += 1) await vi.advanceTimersByTimeAsync(10);
  await settle();
  const waits = worlds.map(({ last, sockets }) => (sockets.length > 1 ? last.atMs - beganMs : 600));
  const slots = new Set(waits.map((wait) => Math.floor(wait / 50)));
  assert.ok(waits.every((wait) => wait >= 0 && wait <= 620), `${Math.max(...waits)}`);
  assert.ok(slots.size >= 8, `they use ${slots.size} slots of 50 ms`);
  for (const room of rooms) room.close();
});

test('a server that is away for an hour gets a bounded number of attempts', async () => {
  const world = new World();
  world.entry = new TypeError('nobody answers');
  const room = world.join({ token: () => 'a.b.c' });
  for (let minute = 0; minute < 60; minute += 1) {
    await pass(60_000);
    // Nothing listens.
    for (const socket of world.sockets.splice(0)) if (!socket.isClosed) socket.drop();
    await settle();
  }
  assert.ok(['waiting', 'connecting'].includes(room.state.kind), room.state.kind);
  const attempts = world.asked('/v1/entry').length;
  assert.ok(attempts >= 30 && attempts <= 700, `${attempts} in an hour`);
});

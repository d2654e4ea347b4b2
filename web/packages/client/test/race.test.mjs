// The race of gateways: the first whole answer wins, all times are reported, and nothing waits for a report.

import assert from 'node:assert/strict';
import { test } from 'vitest';
import { Entry } from '../src/entry/entry.ts';
import { host } from './surroundings.mjs';

const BYTES = 64;
const tick = () => new Promise((resolve) => setTimeout(resolve, 0));

/** Plays entry and gateways. `delays` has the milliseconds of each gateway; null for one that fails. */
function fleet(delays, more = {}) {
  const names = Object.keys(delays);
  const world = { asked: [], reports: [], open: 0, openMax: 0 };
  const downlinks = [
    ...names.map((name) => ({ transport: 'ws', url: `ws://${name}/v1/rooms/demo/ws`, gateway: name })),
    { transport: 'sse', url: `http://${names[0]}/v1/rooms/demo/sse`, gateway: names[0] },
  ];
  const answer = { downlinks, uplinks: ['http://up'], race: { width: 3, timeout_ms: 1_500, bytes: BYTES }, ttl_ms: 60_000, backoff_base_ms: 500, backoff_max_ms: 30_000, ...more };
  world.fetch = async (url, init) => {
    const { host: name, pathname } = new URL(url);
    if (pathname === '/v1/entry') return new Response(JSON.stringify(answer));
    if (pathname === '/v1/entry/race') {
      world.reports.push(JSON.parse(init.body));
      return new Promise(() => {});
    }
    world.asked.push(name);
    const delay = delays[name];
    world.openMax = Math.max(world.openMax, (world.open += 1));
    await new Promise((resolve) => setTimeout(resolve, delay?.ms ?? delay ?? 0));
    world.open -= 1;
    if (delay === null) throw new TypeError('no answer');
    return new Response(new Uint8Array(delay?.bytes ?? BYTES), { status: delay?.status ?? 200 });
  };
  world.entry = new Entry(host({ fetch: world.fetch }), 'demo');
  world.order = async () => (await world.entry.gateways()).endpoints.map(({ transport, url }) => `${transport} ${new URL(url).host}`);
  return world;
}

test('the first gateways race at once, the fastest comes first, and the others keep their order', async () => {
  const world = fleet({ a: 60, b: 10, c: 30, d: 0 });
  assert.deepEqual((await world.order()).slice(0, 5), ['ws b', 'ws a', 'ws c', 'ws d', 'sse a']);
  assert.deepEqual(world.asked, ['a', 'b', 'c'], 'as many as entry asks for');
  assert.equal(world.openMax, 3);
  assert.equal(world.reports.length, 0, 'the slowest is still under way');
  await new Promise((resolve) => setTimeout(resolve, 120));
  const [{ results }] = world.reports;
  assert.deepEqual(results.map(({ gateway }) => gateway), ['a', 'b', 'c']);
  assert.ok(results.every(({ elapsed_ms: ms }) => Number.isInteger(ms)), JSON.stringify(results));
  await world.order();
  assert.equal(world.asked.length, 3, 'an answer in use is not raced again');
});

test('a gateway with another answer than the race resource does not win', async () => {
  const world = fleet({ a: null, b: { ms: 0, bytes: 5 }, c: { ms: 0, status: 503 } });
  assert.deepEqual((await world.order()).slice(0, 3), ['ws a', 'ws b', 'ws c'], 'the order of entry where all fail');
  await tick();
  assert.deepEqual(world.reports[0].results, [{ gateway: 'a' }, { gateway: 'b' }, { gateway: 'c' }]);
  const other = fleet({ a: { ms: 0, bytes: 5 }, b: 20 });
  assert.equal((await other.order())[0], 'ws b');
});

test('without a choice, with a width of one, and in order to send nothing races', async () => {
  for (const world of [fleet({ a: 0 }), fleet({ a: 0, b: 0 }, { race: { width: 1, timeout_ms: 1_500, bytes: BYTES } }), fleet({ a: 0, b: 0 }, { race: undefined })]) {
    await world.order();
    assert.deepEqual(world.asked, []);
  }
  const world = fleet({ a: 0, b: 0 });
  await world.entry.uplinks();
  assert.deepEqual(world.asked, []);
});

test('however many gateways an answer wants to race, eight do', async () => {
  const world = fleet(Object.fromEntries([...'abcdefghijkl'].map((name) => [name, 0])), { race: { width: 1_000, timeout_ms: 1_500, bytes: BYTES } });
  await world.order();
  assert.equal(world.asked.length, 8);
});

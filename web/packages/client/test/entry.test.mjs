// Requests to entry without a browser: a ticket is used once, a refused viewer waits, and a request in
// order to send takes no slot in the join queue.

import assert from 'node:assert/strict';
import { beforeEach, test } from 'vitest';
import * as module from '../src/entry/entry.ts';
import { host } from './surroundings.mjs';

let asked;
let answers;

const OWN = [
  { transport: 'ws', url: 'ws://page.example/v1/rooms/demo/ws' },
  { transport: 'sse', url: 'http://page.example/v1/rooms/demo/sse' },
  { transport: 'poll', url: 'http://page.example/v1/rooms/demo/poll' },
];

async function fetch(url) {
  asked.push(url.replace('http://page.example', ''));
  const next = answers.shift();
  if (!next) throw new TypeError('entry does not answer');
  if (next === 'silent') return new Promise(() => {});
  const text = next.text ?? JSON.stringify(next.body ?? null);
  return { ok: next.ok ?? true, status: (next.ok ?? true) ? 200 : 503, text: async () => text, json: async () => JSON.parse(text) };
}
const entryOf = () => new module.Entry(host({ fetch }), 'demo');

beforeEach(() => {
  asked = [];
  answers = [];
});

const says = (more = {}) => ({
  body: {
    downlinks: [{ transport: 'ws', url: 'ws://a/ws' }],
    uplinks: ['http://up.example'],
    ttl_ms: 60_000,
    backoff_base_ms: 500,
    backoff_max_ms: 30_000,
    ...more,
  },
});

test('an answer without a ticket is used until it expires or is forgotten', async () => {
  answers = [says(), says()];
  const entry = entryOf();
  assert.deepEqual(await entry.gateways(), { endpoints: [{ transport: 'ws', url: 'ws://a/ws' }, ...OWN], ticket: null });
  await entry.gateways();
  assert.deepEqual(asked, ['/v1/entry?room=demo&purpose=watch']);
  entry.forget();
  await entry.gateways();
  assert.equal(asked.length, 2);
});

test('a ticket is used once, and the uplinks of its answer remain valid', async () => {
  answers = [says({ ticket: { token: 'one', wait_ms: 20_000 } }), says({ ticket: { token: 'two', wait_ms: 5_000 } })];
  const entry = entryOf();
  assert.deepEqual((await entry.gateways()).ticket, { token: 'one', waitMs: 20_000 });
  assert.deepEqual(await entry.uplinks(), ['http://up.example'], 'the origin of entry takes no posts');
  assert.equal(asked.length, 1);
  assert.deepEqual((await entry.gateways()).ticket, { token: 'two', waitMs: 5_000 });
});

test('a request in order to send takes no slot in the join queue', async () => {
  answers = [says(), says({ ticket: { token: 'one', wait_ms: 1 } })];
  const entry = entryOf();
  await entry.uplinks();
  assert.deepEqual((await entry.gateways()).ticket, { token: 'one', waitMs: 1 });
  assert.deepEqual(asked, ['/v1/entry?room=demo&purpose=send', '/v1/entry?room=demo&purpose=watch']);
});

test('a viewer for whom the servers are full learns when to retry, and may still send', async () => {
  const full = { ok: false, body: { error: { code: 'overloaded', message: '', retry_after_ms: 31_000 } } };
  answers = [full, full, { ok: false, body: null }];
  const entry = entryOf();
  await assert.rejects(entry.gateways(), (error) => error.code === 'overloaded' && error.retryMs === 31_000);
  assert.deepEqual(await entry.uplinks(), ['http://page.example']);
  // After a refusal without a body, and without an answer, this page's origin remains.
  assert.deepEqual(await entry.gateways(), { endpoints: OWN, ticket: null });
  assert.deepEqual(await entry.gateways(), { endpoints: OWN, ticket: null });
});

test('endpoints of every known transport are taken in their order, and unknown ones are left out', async () => {
  const downlinks = [
    { transport: 'ws', url: 'http://a/ws' },
    { transport: 'quic', url: 'https://a/quic' },
    { transport: 'sse', url: 'http://a/sse' },
  ];
  answers = [says({ downlinks })];
  const { endpoints } = await entryOf().gateways();
  assert.deepEqual(endpoints, [{ transport: 'ws', url: 'ws://a/ws' }, { transport: 'sse', url: 'http://a/sse' }, ...OWN]);
});

test('a request for the endpoints of a probe takes no slot in the join queue', async () => {
  answers = [says()];
  const entry = entryOf();
  assert.deepEqual(await entry.others(), [{ transport: 'ws', url: 'ws://a/ws' }, ...OWN]);
  assert.deepEqual(asked, ['/v1/entry?room=demo&purpose=send']);
});

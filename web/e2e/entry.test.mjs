// Asking entry, without a browser: a ticket is shown once, who is turned away waits,
// and who asks in order to send takes nobody's turn.

import assert from 'node:assert/strict';
import { after, before, beforeEach, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { createServer } from 'vite';

let vite;
let module;
let asked;
let answers;

const OWN = 'ws://page.example/v1/rooms/demo/ws';

before(async () => {
  const root = fileURLToPath(new URL('..', import.meta.url));
  vite = await createServer({ root, configFile: false, logLevel: 'error', server: { middlewareMode: true, ws: false, hmr: false, watch: null }, optimizeDeps: { noDiscovery: true } });
  module = await vite.ssrLoadModule('/src/entry.ts');
  globalThis.location = new URL('http://page.example/');
  globalThis.fetch = async (url) => {
    asked.push(url);
    const next = answers.shift();
    if (!next) throw new TypeError('entry is away');
    return { ok: next.ok ?? true, json: async () => next.body };
  };
});
beforeEach(() => {
  asked = [];
  answers = [];
});
after(() => vite?.close());

const says = (more = {}) => ({
  body: { downlinks: [{ transport: 'ws', url: 'ws://a/ws' }], uplinks: ['http://up.example'], ttl_ms: 60_000, ...more },
});

test('without a ticket one answer serves until it is old or forgotten', async () => {
  answers = [says(), says()];
  const entry = new module.Entry('demo');
  assert.deepEqual(await entry.way(), { urls: ['ws://a/ws', OWN], ticket: null });
  await entry.way();
  assert.deepEqual(asked, ['/v1/entry?room=demo&purpose=watch']);
  entry.forget();
  await entry.way();
  assert.equal(asked.length, 2);
});

test('a ticket is given out once, and the uplinks of its answer stay good', async () => {
  answers = [says({ ticket: { token: 'one', wait_ms: 20_000 } }), says({ ticket: { token: 'two', wait_ms: 5_000 } })];
  const entry = new module.Entry('demo');
  assert.deepEqual((await entry.way()).ticket, { token: 'one', waitMs: 20_000 });
  assert.deepEqual(await entry.uplinks(), ['http://up.example'], 'this origin is entry, which takes no posts');
  assert.equal(asked.length, 1);
  assert.deepEqual((await entry.way()).ticket, { token: 'two', waitMs: 5_000 });
});

test('a sender asks for no turn, and no answer to it is taken for one', async () => {
  answers = [says(), says({ ticket: { token: 'one', wait_ms: 1 } })];
  const entry = new module.Entry('demo');
  await entry.uplinks();
  assert.deepEqual((await entry.way()).ticket, { token: 'one', waitMs: 1 });
  assert.deepEqual(asked, ['/v1/entry?room=demo&purpose=send', '/v1/entry?room=demo&purpose=watch']);
});

test('who is turned away is told when to come back, and may send all the same', async () => {
  const full = { ok: false, body: { error: { code: 'overloaded', message: '', retry_after_ms: 31_000 } } };
  answers = [full, full, { ok: false, body: null }];
  const entry = new module.Entry('demo');
  await assert.rejects(entry.way(), (error) => error instanceof module.TurnedAway && error.retryMs === 31_000);
  assert.deepEqual(await entry.uplinks(), ['http://page.example']);
  // A refusal that is not entry's own, and an entry that is away, leave this page's origin.
  assert.deepEqual(await entry.way(), { urls: [OWN], ticket: null });
  assert.deepEqual(await entry.way(), { urls: [OWN], ticket: null });
});

// Posts and event streams without a browser: what counts as an answer of Barrage, and what goes
// through the tunnel.

import assert from 'node:assert/strict';
import { beforeEach, test } from 'vitest';
import { EventText } from '../src/downlink/event_stream.ts';
import { Sender } from '../src/uplink/sender.ts';
import * as tunnel from '../src/uplink/tunnel.ts';
import { Uplink } from '../src/uplink/uplink.ts';
import { host } from './surroundings.mjs';

let asked;
let answers;

async function fetch(url, { body }) {
  asked.push({ url, body });
  const next = answers.shift();
  if (next instanceof Error || !next) throw next ?? new TypeError('nobody answers');
  return new Response(next.body, { status: next.status ?? 200, headers: next.headers });
}
beforeEach(() => {
  asked = [];
  answers = [];
});

const POST = { type: 'gift', id: 'g1', gift: { name: 'rose', count: 1, price_minor: 1 } };
const HTTP = 'http://up.example/v1/rooms/demo/messages';
const TUNNEL = 'http://up.example/v1/tunnel';
const json = (body, status = 200) => ({ status, body: JSON.stringify(body) });
const accepted = { outcome: 'broadcast', sequence: 7 };
const refused = (code) => ({ error: { code, message: code } });

/** An answer of the tunnel to one request. */
function inner(body, status = 200) {
  const bytes = new TextEncoder().encode(JSON.stringify({ status, body }));
  const framed = new Uint8Array(4 + bytes.length);
  new DataView(framed.buffer).setUint32(0, bytes.length);
  framed.set(bytes, 4);
  return { body: framed };
}

const credentials = { token: 't', isKnown: true, renew: async () => false };

function sender() {
  const nothing = () => undefined;
  const route = { uplinks: async () => ['http://up.example'], failed: nothing, answered: nothing, forget: nothing };
  return new Sender(host({ fetch }), credentials, route);
}

/** Posts through the sender. */
function post(one) {
  return one.send({ method: 'POST', path: '/v1/rooms/demo/messages', body: POST, known: 'outcome' });
}

const faults = {
  'no answer': new TypeError('reset'),
  'the page of a captive portal': { body: '<!doctype html><title>Sign in</title>' },
  'JSON of another server': json({ ok: true }),
  'a status of a proxy': { status: 502, body: '<h1>Bad gateway</h1>' },
  'a proxy that forbids it': { status: 403, body: '<h1>Forbidden</h1>' },
  'a proxy that removed the token': json(refused('unauthorized'), 401),
};
for (const [name, fault] of Object.entries(faults)) {
  test(`after ${name} a post goes through the tunnel, and the next one begins there`, async () => {
    const one = sender();
    answers = [fault, inner(accepted), inner(accepted)];
    assert.deepEqual(await post(one), { kind: 'accepted', answer: accepted });
    assert.deepEqual(asked.map(({ url }) => url), [HTTP, TUNNEL]);
    assert.equal(one.transport, 'tunnel');
    const { length } = asked[1].body;
    const sent = JSON.parse(new TextDecoder().decode(asked[1].body.slice(4)));
    assert.equal(new DataView(asked[1].body.buffer).getUint32(0), length - 4);
    assert.deepEqual(sent, { method: 'POST', path: '/v1/rooms/demo/messages', token: 't', body: POST });
    await post(one);
    assert.deepEqual(asked.map(({ url }) => url), [HTTP, TUNNEL, TUNNEL]);
  });
}

test('a refusal of the server is final, and the tunnel is asked only where a proxy may be the cause', async () => {
  const one = sender();
  answers = [json(refused('muted'), 403)];
  assert.equal((await post(one)).refusal.code, 'muted');
  assert.deepEqual(asked.map(({ url }) => url), [HTTP]);
  asked = [];
  answers = [json(refused('bad_request'), 400), inner(refused('bad_request'), 400), json(accepted)];
  assert.equal((await post(one)).refusal.code, 'bad_request');
  // The tunnel confirmed it: the network is not at fault.
  await post(one);
  assert.deepEqual(asked.map(({ url }) => url), [HTTP, TUNNEL, HTTP]);
});

test('a server that is away is asked again, first by an ordinary request', async () => {
  const one = sender();
  answers = [new TypeError('reset'), new TypeError('reset'), json(accepted)];
  assert.equal((await post(one)).kind, 'accepted');
  assert.deepEqual(asked.map(({ url }) => url), [HTTP, TUNNEL, HTTP]);
  assert.equal(one.transport, 'http');
});

test('the history comes through the tunnel where ordinary requests are blocked, and a refusal is final', async () => {
  const entry = { uplinks: async () => ['http://up.example'], racePlan: null, forgetUplinks: () => undefined };
  const uplink = new Uplink(host({ fetch }), credentials, entry, 'demo');
  const body = { type: 'gift', user: 'u', name: 'n', gift: { name: 'rose', count: 1 } };
  answers = [{ status: 403, body: '<h1>Forbidden</h1>' }, inner({ messages: [{ sequence: 3, body }] })];
  const { messages, refusal } = await uplink.history({ before: 5, limit: 30 });
  assert.deepEqual(messages.map(({ sequence }) => sequence), [3]);
  assert.equal(refusal, null);
  assert.deepEqual(asked.map(({ url }) => url), ['http://up.example/v1/rooms/demo/history?before=5&limit=30', TUNNEL]);
  const sent = JSON.parse(new TextDecoder().decode(asked[1].body.slice(4)));
  assert.deepEqual(sent, { method: 'GET', path: '/v1/rooms/demo/history?before=5&limit=30', token: 't' });
  asked = [];
  answers = [inner(refused('kicked'), 403)];
  const none = await uplink.history({});
  assert.deepEqual([none.messages, none.refusal.code], [[], 'kicked']);
  assert.equal(asked.length, 1);
});

test('what is not one answer of the tunnel is an error', () => {
  const bytes = (text) => new TextEncoder().encode(text).buffer;
  for (const wrong of [new ArrayBuffer(0), bytes('<!doctype html>'), inner(accepted).body.slice(0, 9).buffer]) {
    assert.throws(() => tunnel.decodeAnswer(wrong));
  }
  assert.deepEqual(tunnel.decodeAnswer(inner(accepted).body.buffer), { status: 200, body: accepted });
});

test('events are found for every size of chunks and both line ends, and comments have no data', () => {
  for (const end of ['\n', '\r\n']) {
    const stream = [': keep', '', 'id: 1', 'event: pong', 'data: {"a":1}', '', 'data:{"b":2}', '', 'id: 3', ''].join(end);
    for (let size = 1; size < stream.length; size += 1) {
      const text = new EventText();
      const found = [];
      for (let at = 0; at < stream.length; at += size) found.push(...text.take(stream.slice(at, at + size)));
      assert.deepEqual(found, ['{"a":1}', '{"b":2}'], `${size}`);
    }
  }
});

// Sources of endpoints without a browser: the shared test vectors, and a page whose entry is dead,
// silent or replaced by a captive portal.

import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { beforeAll, beforeEach, test } from 'vitest';
import { Entry } from '../src/entry/entry.ts';
import { judge } from '../src/entry/answer.ts';
import * as pure from '../src/entry/sources.ts';
import { Route } from '../src/uplink/route.ts';
import { host } from './surroundings.mjs';

let vectors;
let asked;
let servers;
let stored;
let racers;
let reports;

/** Returns the URLs of the WebSockets. */
const sockets = ({ endpoints }) => endpoints.filter((one) => one.transport === 'ws').map((one) => one.url);

beforeAll(async () => {
  vectors = JSON.parse(await readFile(new URL('../../../../services/client/vectors/sources.json', import.meta.url), 'utf8'));
});

async function fetch(url, options) {
  const { origin, pathname } = new URL(url);
  if (pathname === '/v1/entry/race') return reports.push({ origin, report: JSON.parse(options.body) });
  if (pathname === '/v1/race') {
    const bytes = racers.get(origin);
    if (bytes === undefined) throw new TypeError('nobody answers');
    return { ok: true, arrayBuffer: async () => new ArrayBuffer(bytes) };
  }
  asked.push(origin);
  const answer = servers.get(origin);
  if (answer === 'silent') return new Promise(() => {});
  if (answer === undefined) throw new TypeError('nobody answers');
  return { ok: true, status: 200, text: async () => (typeof answer === 'string' ? answer : JSON.stringify(answer)) };
}

const surroundings = (others = []) => host({ entries: ['https://page.example', ...others], fetch, stored });
/** Waits until an answer is stored, which is no part of a connect. */
const isStored = () => surroundings().later();
const entryOf = (room = 'demo', others = []) => new Entry(surroundings(others), room);

beforeEach(() => {
  asked = [];
  servers = new Map();
  stored = new Map();
  racers = new Map();
  reports = [];
});

const OWN = 'wss://page.example/v1/rooms/demo/ws';
const PORTAL = '<!doctype html><title>Log in</title>';
const answer = (more = {}) => ({
  downlinks: [{ transport: 'ws', url: 'wss://g1.example/v1/rooms/demo/ws', gateway: 'g1' }],
  uplinks: ['https://up.example'],
  race: { width: 1, timeout_ms: 1_000, bytes: 1 },
  ttl_ms: 60_000,
  backoff_base_ms: 500,
  backoff_max_ms: 30_000,
  ...more,
});

test('the order of sources is that of the shared vectors', () => {
  assert.ok(vectors.orders.length >= 15);
  for (const { name, known, sources } of vectors.orders) {
    assert.deepEqual(pure.sources(known).map(pure.text), sources, name);
  }
});

test('verdicts on answers are those of the shared vectors', () => {
  assert.ok(vectors.answers.length >= 20);
  for (const { name, now_ms, status, purpose, body, verdict } of vectors.answers) {
    assert.equal(judge(status, body, purpose, now_ms).kind, verdict, name);
  }
});

test('a page whose entry is replaced by a captive portal asks the next entry', async () => {
  servers.set('https://page.example', PORTAL).set('https://live-2.example', answer());
  const entry = entryOf('demo', ['https://live-2.example']);
  assert.deepEqual(sockets(await entry.gateways()), ['wss://g1.example/v1/rooms/demo/ws', OWN]);
  assert.deepEqual(asked, ['https://page.example', 'https://live-2.example']);
});

test('a silent entry does not delay the next one for its whole timeout', async () => {
  servers.set('https://page.example', 'silent').set('https://live-2.example', answer());
  const began = performance.now();
  const entry = entryOf('demo', ['https://live-2.example']);
  assert.equal(sockets(await entry.gateways())[0], 'wss://g1.example/v1/rooms/demo/ws');
  assert.ok(performance.now() - began < 4_000, 'before the timeout of 5 s');
});

test('a page connects by the stored answer when every entry is dead, in another room too', async () => {
  servers.set('https://page.example', answer({ ticket: { token: 'once', wait_ms: 1 }, entries: ['https://live-3.example'] }));
  await entryOf().gateways();
  await isStored();
  servers.clear();
  asked = [];
  const later = await entryOf('other').gateways();
  assert.deepEqual(sockets(later), ['wss://g1.example/v1/rooms/other/ws', 'wss://page.example/v1/rooms/other/ws']);
  assert.equal(later.ticket, null);
  assert.deepEqual(asked, ['https://page.example', 'https://live-3.example'], 'the stored answer names another entry');
});

test('a stored value that is broken, of another version or too old is passed over', async () => {
  const day = 24 * 3_600_000;
  const template = answer({ downlinks: [{ transport: 'ws', url: 'wss://old.example/v1/rooms/{room}/ws', gateway: 'g' }] });
  const value = (version, savedMs, of = template) => JSON.stringify({ version, saved_ms: savedMs, answer: of });
  const cases = [
    ['{', false],
    ['null', false],
    [value(2, Date.now()), false],
    [value(1, Date.now(), PORTAL), false],
    [value(1, Date.now(), { downlinks: [] }), false],
    [value(1, Date.now() - 8 * day), false],
    [value(1, Date.now() + 3 * day), false],
    [`${value(1, Date.now())}${' '.repeat(40_000)}`, false],
    [value(1, Date.now() - 6 * day), true],
    [value(1, Date.now() + day), true],
  ];
  for (const [text, isUsed] of cases) {
    stored.set('barrage.entry', text);
    const found = await entryOf().gateways();
    assert.deepEqual(sockets(found), isUsed ? ['wss://old.example/v1/rooms/demo/ws', OWN] : [OWN], text.slice(0, 80));
  }
});

test('an answer that is too old is used only when nothing else answers', async () => {
  const old = Date.now() - 3 * 24 * 3_600_000;
  servers.set('https://page.example', answer({ issued_ms: old })).set('https://live-2.example', answer({ issued_ms: Date.now(), uplinks: ['https://new.example'] }));
  const both = entryOf('demo', ['https://live-2.example']);
  await both.gateways();
  await isStored();
  assert.deepEqual(await both.uplinks(), ['https://new.example']);
  stored.clear();
  servers.delete('https://live-2.example');
  const alone = entryOf('demo', ['https://live-2.example']);
  await alone.gateways();
  assert.deepEqual(await alone.uplinks(), ['https://up.example']);
  assert.equal(stored.size, 0, 'an answer that is too old is not stored');
});

test('a page that posts reports the times of its uplinks to entry, once in ten minutes', async () => {
  const uplinks = ['https://up.example', 'https://short.example', 'https://gone.example', 'https://fourth.example'];
  servers.set('https://page.example', answer({ uplinks, race: { width: 1, timeout_ms: 1_000, bytes: 16 } }));
  racers.set('https://up.example', 16).set('https://short.example', 9).set('https://fourth.example', 16);
  const entry = entryOf();
  const route = new Route(surroundings(), entry);
  await entry.gateways();
  assert.deepEqual(reports, [], 'a viewer that watches measures nothing');
  assert.deepEqual(await route.uplinks(), uplinks);
  await route.uplinks();
  while (reports.length === 0) await new Promise((resolve) => setImmediate(resolve));
  assert.equal(reports.length, 1);
  const [{ origin, report }] = reports;
  assert.equal(origin, 'https://page.example');
  assert.deepEqual(report.uplinks.map(({ url, elapsed_ms }) => [url, typeof elapsed_ms]), [
    ['https://up.example', 'number'],
    ['https://short.example', 'undefined'],
    ['https://gone.example', 'undefined'],
  ]);
});

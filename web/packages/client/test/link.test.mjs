// One WebSocket without a browser: versions, facts, and heartbeats that have no answer.

import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { beforeEach, test } from 'vitest';
import { Link } from '../src/downlink/link.ts';
import * as facts from '../src/facts.ts';
import { Heart } from '../src/heartbeat/heart.ts';
import { host } from './surroundings.mjs';
import { pass, settle } from './world.mjs';

let sockets;

/** Plays the browser's WebSocket; the test plays the server. */
class Socket {
  static OPEN = 1;
  readyState = 1;
  sent = [];

  constructor(url, protocols) {
    Object.assign(this, { url, protocols });
    sockets.push(this);
  }

  open(protocol) {
    this.protocol = protocol;
    this.onopen();
  }

  send(text) {
    this.sent.push(JSON.parse(text));
  }

  receive(frame) {
    this.onmessage({ data: JSON.stringify(frame) });
  }

  close() {}
}

beforeEach(() => {
  sockets = [];
});

const hello = { type: 'hello', room: 'demo', connection: 'c', ping_interval_ms: 25_000, ping_interval_ms_max: 270_000, sequence: 3, resume: false, online: 1 };

/** Opens a link to a server that chooses this subprotocol; returns it with its socket and the close codes. */
function link(protocol) {
  const closed = [];
  const frames = [];
  const of = host({ WebSocket: Socket });
  const events = { frame: (_, frame) => frames.push(frame.type), closed: (_, code) => closed.push(code) };
  const one = new Link({ host: of, heart: new Heart(of), url: 'ws://a/ws', join: () => ({ token: null, after: 3 }), events });
  const socket = sockets.at(-1);
  socket.open(protocol);
  return { one, socket, closed, frames, ready: of.later() };
}

test('all versions are offered, the newest first', () => {
  const { one, socket } = link('barrage.v1.json');
  const versions = socket.protocols.map((name) => name.replace(/(lines|deflate|json)$/, ''));
  assert.deepEqual([...new Set(versions)], ['barrage.v1.1.', 'barrage.v1.']);
  assert.equal(socket.protocols[0], 'barrage.v1.1.lines');
  one.leave();
});

test('a server of version 1.0 gets a join without facts', () => {
  for (const protocol of ['barrage.v1.json', 'barrage.v1.deflate', '']) {
    const { one, socket } = link(protocol);
    assert.deepEqual(socket.sent, [{ type: 'join', after: 3 }]);
    one.leave();
  }
});

test('a server of version 1.1 gets the facts', async () => {
  const { one, socket } = link('barrage.v1.1.json');
  assert.equal(socket.sent[0].client.name, 'barrage-web');
  assert.equal(socket.sent[0].client.network, 'unknown');
  const cargo = await readFile(new URL('../../../../Cargo.toml', import.meta.url), 'utf8');
  assert.equal(facts.VERSION, /^version = "([^"]+)"/m.exec(cargo)[1], 'the version of the release');
  one.leave();
});

test('a probe that has no answer abandons the link, and one with its pong does not', async () => {
  const { one, socket, closed, frames, ready } = link('barrage.v1.1.json');
  await ready;
  socket.receive(hello);
  await settle();
  assert.deepEqual(frames, ['hello']);
  one.probe();
  const ping = socket.sent.at(-1);
  assert.equal(ping.type, 'ping');
  socket.receive({ type: 'pong', id: ping.id, time_ms: 1 });
  await settle();
  one.probe();
  const lost = socket.sent.at(-1);
  assert.equal(lost.id, ping.id + 1);
  // A pong of an earlier ping is no answer, but it prolongs the wait.
  socket.receive({ type: 'pong', id: ping.id, time_ms: 1 });
  await pass(3_000);
  assert.deepEqual(closed, []);
  await pass(6_000);
  assert.deepEqual(closed, [1006]);
});

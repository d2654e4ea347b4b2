// A world for a room without a network: its clock, its sockets, its server and its storage are the test's.

import { afterEach, beforeEach, vi } from 'vitest';
// Parts that the client loads later are there at once, because the test's clock does not wait for files.
import '../src/later.ts';
import '../src/guest.ts';
import '../src/downlink/inflate.ts';
import '../src/downlink/rungs.ts';
import '../src/entry/others.ts';
import '../src/uplink/uplink.ts';
import { join } from '../src/index.ts';

const turn = globalThis.setImmediate;
const rooms = new Set();

beforeEach(() => {
  vi.useFakeTimers({ now: 1_700_000_000_000 });
});
afterEach(() => {
  for (const room of rooms) room.close();
  rooms.clear();
  vi.useRealTimers();
  vi.restoreAllMocks();
});

/** Lets everything happen that needs no time. */
export async function settle() {
  for (let round = 0; round < 8; round += 1) {
    await vi.advanceTimersByTimeAsync(0);
    await new Promise((resolve) => turn(resolve));
  }
}

/** Lets time pass. */
export async function pass(ms) {
  await vi.advanceTimersByTimeAsync(ms);
  await settle();
}

/** Lets time pass in steps until the condition holds. */
export async function until(what, holds, withinMs = 120_000) {
  for (let passed = 0; passed <= withinMs; passed += 100) {
    if (holds()) return;
    await pass(100);
  }
  throw new Error(`not within ${withinMs} ms: ${what}`);
}

/** Plays a WebSocket. The test plays the server. */
class Socket {
  readyState = 0;
  protocol = '';
  binaryType = 'blob';
  sent = [];
  isClosed = false;

  constructor(url, protocols) {
    Object.assign(this, { url, protocols, atMs: performance.now() });
  }

  /** Accepts the connection, in this version of the protocol. */
  open(protocol = 'barrage.v1.1.json') {
    Object.assign(this, { readyState: 1, protocol });
    this.onopen?.({});
  }

  send(text) {
    this.sent.push(JSON.parse(text));
  }

  frame(frame) {
    this.onmessage?.({ data: JSON.stringify(frame) });
  }

  text(data) {
    this.onmessage?.({ data });
  }

  /** Ends the connection by the server, or by the network with 1006. */
  drop(code = 1006) {
    this.readyState = 3;
    this.onclose?.({ code });
  }

  close() {
    this.readyState = 3;
    this.isClosed = true;
  }

  sentOf(type) {
    return this.sent.filter((frame) => frame.type === type);
  }
}

export class World {
  sockets = [];
  requests = [];
  stored = new Map();
  /** Answers of entry: an object, or an error. */
  entry = { downlinks: [{ transport: 'ws', url: 'ws://g/ws', gateway: 'g' }], uplinks: ['http://up.example'], ttl_ms: 60_000, backoff_base_ms: 500, backoff_max_ms: 30_000 };
  guest = { status: 200, body: { token: 'a.b.c', user: 'guest-1' } };
  /** Answers of the uplink, by path. */
  answers = {};

  constructor() {
    const sockets = this.sockets;
    this.WebSocket = class extends Socket {
      constructor(...given) {
        super(...given);
        sockets.push(this);
      }
    };
    this.storage = {
      getItem: (key) => this.stored.get(key) ?? null,
      setItem: (key, value) => void this.stored.set(key, value),
      removeItem: (key) => void this.stored.delete(key),
    };
    this.fetch = async (url, init = {}) => {
      const { pathname } = new URL(url);
      this.requests.push({ url, init, atMs: performance.now() });
      if (pathname === '/v1/entry') return answerOf(this.entry);
      if (pathname === '/v1/guest') return answerOf(this.guest);
      const answer = this.answers[pathname] ?? new TypeError('nobody answers');
      return answerOf(typeof answer === 'function' ? answer(init) : answer);
    };
  }

  /** Joins a room, and records its states and losses. */
  join(more = {}) {
    const { fetch, WebSocket, storage } = this;
    const room = join({ entry: 'http://chat.example', room: 'demo', fetch, WebSocket, storage, ...more });
    rooms.add(room);
    room.states = [];
    room.losses = [];
    room.sequences = [];
    room.on('state', (state) => room.states.push(state));
    room.on('loss', (loss) => room.losses.push(loss));
    room.on('batch', ({ messages }) => room.sequences.push(...messages.map((message) => message.sequence)));
    return room;
  }

  /** Joins a room and lets the server accept it. */
  async opened(more = {}, hello = {}) {
    const room = this.join(more);
    await settle();
    this.last.open();
    this.last.frame({ ...HELLO, ...hello });
    await settle();
    return room;
  }

  /** The newest socket. */
  get last() {
    return this.sockets.at(-1);
  }

  asked(path) {
    return this.requests.filter(({ url }) => new URL(url).pathname === path);
  }
}

export const HELLO = { type: 'hello', room: 'demo', connection: 'c', ping_interval_ms: 25_000, ping_interval_ms_max: 270_000, sequence: 10, resume: false, online: 3 };

/** A batch of chats that covers the positions behind `previous`. */
export function batch(previous, sequence, more = {}) {
  const messages = [];
  for (let at = previous + 1; at <= sequence; at += 1) messages.push(chat(at));
  return { type: 'batch', room: 'demo', previous, sequence, messages, ...more };
}

export function chat(sequence, more = {}) {
  return { sequence, class: 'chat', body: { type: 'chat', id: `c-${sequence}`, user: 'u2', name: 'Bo', text: `text ${sequence}`, at_ms: 1, ...more } };
}

export const refused = (status, code, more = {}) => ({ status, body: { error: { code, message: code, ...more } } });

function answerOf(answer) {
  if (answer instanceof Error) throw answer;
  if (answer === 'silent') return new Promise(() => {});
  const { status = 200, body = answer } = answer.status ? answer : {};
  return new Response(JSON.stringify(body), { status });
}

// A scripted server for cases that a real server produces only by chance: a chosen rate, a close code,
// a notice that comes twice. It serves the built page with the policy of the real server.

import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import { extname, join, normalize } from 'node:path';
import { fileURLToPath } from 'node:url';

const DIST = fileURLToPath(new URL('../dist', import.meta.url));
const TYPES = { '.html': 'text/html; charset=utf-8', '.js': 'text/javascript', '.css': 'text/css', '.svg': 'image/svg+xml' };
const POLICY =
  "default-src 'self'; connect-src 'self' http: https: ws: wss:; media-src 'self' blob: http: https:; object-src 'none'; base-uri 'none'; form-action 'self'; img-src 'self' data:; frame-ancestors 'self'";
const SOCKET_MAGIC = '258EAFA5-E914-47DA-95CA-C5AB0DC85B11';

/** Messages of a birthday stream: mostly short Chinese wishes with repeats, some long, some English. */
const WISHES = ['生日快乐', '生日快乐！', '祝生日快乐🎂', '生日快乐生日快乐', '哈哈哈哈哈哈', '666', '来了来了', '好漂亮', '前方高能', '多重弹幕护体', '主播晚上好', '许愿许愿', '蛋糕！', '恭喜恭喜', '破防了', '太好看了吧', '22k快乐', 'happy birthday!!', 'Happy birthday from Berlin', 'gg', 'the candles are so beautiful tonight', '第一次来，祝你天天开心，万事如意，身体健康', '希望你以后的每一天都像今天这样开心快乐，永远有这么多人陪着你一起过生日🎉🎉', 'I stayed up until four in the morning for this stream and it was worth every single minute of it'];

export class Source {
  static async start() {
    const source = new Source();
    await new Promise((resolve) => source.server.listen(0, '127.0.0.1', resolve));
    source.origin = `http://127.0.0.1:${source.server.address().port}`;
    return source;
  }

  constructor() {
    this.sockets = new Set();
    this.chats = [];
    this.sequence = 0;
    this.past = [];
    this.joins = 0;
    this.posts = [];
    /** Answer of `/v1/entry`, as { status, body }; null for the usual one. */
    this.entry = null;
    /** Refusal of every join, as { code, close, retry_after_ms }; null to accept. */
    this.refusal = null;
    /** Returns the answer to a post. By default the post is broadcast. */
    this.answer = () => ({ status: 200, body: { outcome: 'broadcast', sequence: this.sequence + 1 } });
    this.server = createServer((request, response) => void this.#http(request, response));
    this.server.on('upgrade', (request, socket) => this.#upgrade(request, socket));
  }

  async stop() {
    this.quiet();
    for (const socket of this.sockets) socket.destroy();
    this.server.closeAllConnections();
    await new Promise((resolve) => this.server.close(resolve));
  }

  /** Sends messages as one batch to all viewers. */
  say(...bodies) {
    const previous = this.sequence;
    const messages = bodies.map((body) => {
      this.sequence += 1;
      const full = { id: `m-${this.sequence}`, user: 'u2', name: 'Bo', at_ms: Date.now(), ...body };
      const kind = { gift: 'gift', super_chat: 'gift', signal: 'signal' }[full.type] ?? 'chat';
      return { sequence: this.sequence, class: kind, body: full };
    });
    this.frame({ type: 'batch', room: 'demo', previous, sequence: this.sequence, messages });
    return messages;
  }

  frame(frame) {
    const bytes = framed(JSON.stringify(frame));
    for (const socket of this.sockets) if (socket.joined) socket.write(bytes);
  }

  /** Sends an error frame and a close frame to all viewers. */
  close(code, close, message = code) {
    this.frame({ type: 'error', code, message });
    for (const socket of this.sockets) closeSocket(socket, close);
  }

  /** Sends a close frame without an error frame to all viewers. */
  hangUp(close) {
    for (const socket of this.sockets) closeSocket(socket, close);
  }

  /** Sends messages at an even rate, until the returned function is called. */
  chat(perSecond, make = birthday()) {
    const tickMs = 50;
    const started = performance.now();
    let sent = 0;
    const timer = setInterval(() => {
      const due = Math.floor(((performance.now() - started) / 1000) * perSecond) - sent;
      if (due <= 0) return;
      sent += due;
      this.say(...Array.from({ length: due }, make));
    }, tickMs);
    this.chats.push(timer);
    return () => clearInterval(timer);
  }

  /** Stops all messages of `chat`. */
  quiet() {
    for (const timer of this.chats.splice(0)) clearInterval(timer);
  }

  async #http(request, response) {
    const url = new URL(request.url, this.origin);
    const json = (status, body) => {
      response.writeHead(status, { 'Content-Type': 'application/json', 'Cache-Control': 'no-store' });
      response.end(JSON.stringify(body));
    };
    if (url.pathname === '/v1/entry') {
      const usual = { status: 200, body: { downlinks: [], uplinks: [], ttl_ms: 60_000, backoff_base_ms: 50, backoff_max_ms: 400 } };
      const { status, body } = this.entry ?? usual;
      return json(status, body);
    }
    if (url.pathname === '/v1/guest') return json(200, { token: 'guest.guest.guest', user: 'guest-1' });
    if (url.pathname.endsWith('/history')) return json(200, { messages: this.past, more: false });
    if (url.pathname.endsWith('/messages')) {
      let text = '';
      for await (const chunk of request) text += chunk;
      const post = JSON.parse(text);
      this.posts.push(post);
      const { status, body } = this.answer(post);
      return json(status, body);
    }
    const path = normalize(url.pathname === '/' ? '/index.html' : url.pathname);
    try {
      const data = await readFile(join(DIST, path));
      response.writeHead(200, { 'Content-Type': TYPES[extname(path)] ?? 'application/octet-stream', 'Content-Security-Policy': POLICY, 'Cache-Control': 'no-cache' });
      response.end(data);
    } catch {
      json(404, { error: { code: 'not_found', message: 'no such file' } });
    }
  }

  #upgrade(request, socket) {
    const accept = createHash('sha1').update(request.headers['sec-websocket-key'] + SOCKET_MAGIC).digest('base64');
    socket.write(`HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ${accept}\r\nSec-WebSocket-Protocol: barrage.v1.json\r\n\r\n`);
    this.sockets.add(socket);
    socket.on('error', () => undefined);
    socket.on('close', () => this.sockets.delete(socket));
    let unread = Buffer.alloc(0);
    socket.on('data', (data) => {
      unread = Buffer.concat([unread, data]);
      for (let read = unframed(unread); read; read = unframed(unread)) {
        unread = unread.subarray(read.length);
        if (read.opcode === 8) socket.end();
        else if (read.opcode === 1) this.#client(socket, JSON.parse(read.text));
      }
    });
  }

  #client(socket, frame) {
    if (frame.type === 'ping') socket.write(framed(JSON.stringify({ type: 'pong', id: frame.id, time_ms: Date.now() })));
    if (frame.type !== 'join') return;
    this.joins += 1;
    if (this.refusal) {
      const { close, ...refusal } = this.refusal;
      socket.write(framed(JSON.stringify({ type: 'error', message: '', ...refusal })));
      return closeSocket(socket, close);
    }
    socket.joined = true;
    const hello = { type: 'hello', room: 'demo', user: frame.token ? (this.user ?? 'guest-1') : undefined, connection: 'c', ping_interval_ms: 25_000, sequence: this.sequence, resume: false, online: 3 };
    socket.write(framed(JSON.stringify(hello)));
  }
}

/** Returns a seeded generator of danmaku with the lengths, repeats, modes and sizes of a birthday stream. */
export function birthday(seed = 22) {
  let state = seed;
  const random = () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state / 2 ** 32;
  };
  return () => {
    // Shorter texts are more frequent.
    const text = WISHES[Math.floor(random() ** 1.8 * WISHES.length)];
    const kind = random();
    const mode = kind < 0.05 ? 'top' : kind < 0.08 ? 'bottom' : 'scroll';
    const large = random();
    const size = large < 0.06 ? 'large' : large < 0.16 ? 'small' : 'normal';
    const color = random() < 0.7 ? 0xffffff : Math.floor(random() * 0xffffff);
    const user = `u${Math.floor(random() * 500)}`;
    return { type: 'chat', text, user, name: `观众${user}`, style: { mode, size, color } };
  };
}

function closeSocket(socket, close) {
  socket.end(Buffer.from([0x88, 2, close >> 8, close & 255]));
}

function framed(text) {
  const data = Buffer.from(text);
  if (data.length < 126) return Buffer.concat([Buffer.from([0x81, data.length]), data]);
  if (data.length < 65_536) return Buffer.concat([Buffer.from([0x81, 126, data.length >> 8, data.length & 255]), data]);
  const head = Buffer.alloc(10);
  head.writeUInt16BE(0x817f);
  head.writeBigUInt64BE(BigInt(data.length), 2);
  return Buffer.concat([head, data]);
}

/** Returns the first client frame in the bytes, or null while it is not complete. Frames have at most 64 KiB. */
function unframed(bytes) {
  if (bytes.length < 6) return null;
  let length = bytes[1] & 127;
  let at = 2;
  if (length === 126) {
    length = bytes.readUInt16BE(2);
    at = 4;
  }
  const end = at + 4 + length;
  if (bytes.length < end) return null;
  const mask = bytes.subarray(at, at + 4);
  const data = Buffer.from(bytes.subarray(at + 4, end).map((byte, index) => byte ^ mask[index % 4]));
  return { opcode: bytes[0] & 15, text: data.toString(), length: end };
}

/** Returns the same with different texts: the stage shows equal ones as one danmaku. */
export function different() {
  const make = birthday();
  let made = 0;
  return () => {
    made += 1;
    const one = make();
    return { ...one, text: `${one.text}${made % 100}` };
  };
}

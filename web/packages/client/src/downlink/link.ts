// The WebSocket transport, one WebSocket to one gateway: joins, passes frames on in order, and sends the
// heartbeats that the keeper asks for. A link calls `closed` once and is not used again.

import type { Channel, Dial } from './channel.ts';
import { clientFacts } from '../facts.ts';
import { Failure } from '../failure.ts';
import type { Socket } from '../host.ts';
import { CLOSE_ABNORMAL, readFrame, type ClientFrame } from '../protocol/frames.ts';
import type { Inflater } from './inflate.ts';

/** State of a WebSocket that is open, by its standard. */
const OPEN = 1;
const HELLO_WAIT_MS = 8_000;
/** Prefix of the subprotocols of version 1.1. A server of version 1.0 refuses a join with facts. */
const VERSION_1_1 = 'barrage.v1.1.';
/** Largest frame in characters. */
const FRAME_CHARACTERS_MAX = 8 * 1024 * 1024;
/** Frames that wait for the decoder. With more than this the link is abandoned, and the next one resumes. */
const UNREAD_MAX = 512;

export class Link implements Channel {
  readonly transport = 'ws';
  #dial: Dial;
  #socket: Socket;
  #tail: Promise<void> = Promise.resolve();
  #unread = 0;
  #deadline: number | undefined;
  #done = false;
  #inflater: Inflater | undefined;
  /** Time of the hello in `performance.now()`; null before. */
  joinedAt: number | null = null;

  /** Throws where the platform refuses to open a WebSocket. */
  constructor(dial: Dial) {
    const { host, url } = dial;
    if (!host.WebSocket) throw new Failure('network', 'no WebSocket');
    this.#dial = dial;
    const encodings = host.inflates ? ['deflate', 'json'] : ['json'];
    const protocols = [VERSION_1_1, 'barrage.v1.'].flatMap((version) => encodings.map((encoding) => version + encoding));
    if (host.inflates) protocols.unshift(`${VERSION_1_1}lines`);
    this.#socket = new host.WebSocket(url, protocols);
    this.#socket.binaryType = 'arraybuffer';
    this.#socket.onopen = () => {
      const join = dial.join();
      this.send({
        type: 'join',
        ...(join.token === null ? {} : { token: join.token }),
        ...(join.after === null ? {} : { after: join.after }),
        ...(this.#socket.protocol.startsWith(VERSION_1_1) ? { client: clientFacts(host) } : {}),
      });
    };
    this.#socket.onmessage = (event: { data: string | ArrayBuffer }) => this.#enqueue(event.data);
    this.#socket.onclose = (event: { code: number }) => {
      this.#tail = this.#tail.then(() => this.#finish(event.code));
    };
    this.#deadline = setTimeout(() => this.abandon(), HELLO_WAIT_MS);
  }

  send(frame: ClientFrame): void {
    this.#write(frame);
    this.#dial.heart.sent(this);
  }

  /** Sends a heartbeat, which does not count as a frame that could take one along. */
  ping(id: number): void {
    this.#write({ type: 'ping', id });
  }

  /** Checks with a ping whether the gateway still answers. */
  probe(): void {
    this.#dial.heart.examine();
  }

  /** Closes the link without a `closed` call. */
  leave(): void {
    this.#stop(false);
    this.#socket.close(1000);
  }

  /** Abandons the link as dead, with a `closed` call. */
  abandon(): void {
    this.#finish(CLOSE_ABNORMAL);
  }

  #write(frame: ClientFrame): void {
    if (this.#socket.readyState === OPEN) this.#socket.send(JSON.stringify(frame));
  }

  #enqueue(data: string | ArrayBuffer): void {
    this.#dial.heart.received(this);
    this.#unread += 1;
    if (this.#unread > UNREAD_MAX) return this.abandon();
    // One queue for both kinds: a text frame must not overtake a compressed one.
    this.#tail = this.#tail
      .then(() => (typeof data === 'string' ? data : this.#inflate(data)))
      .then((json) => this.#read(json))
      .catch(() => this.abandon())
      .finally(() => {
        this.#unread -= 1;
      });
  }

  async #inflate(data: ArrayBuffer): Promise<string> {
    try {
      this.#inflater ??= new (await import('./inflate.ts')).Inflater(this.#socket.protocol);
      return await this.#inflater.read(data);
    } catch (error) {
      // The next link asks for frames that need no decoder.
      this.#dial.host.inflates = false;
      throw error;
    }
  }

  #read(json: string): void {
    // A frame beyond the largest one is an attack or a defect.
    if (json.length > FRAME_CHARACTERS_MAX) return this.abandon();
    if (this.#done) return;
    const frame = readFrame(json);
    if (!frame) return;
    if (frame.type === 'hello') {
      this.joinedAt = performance.now();
      clearTimeout(this.#deadline);
      this.#dial.heart.attach(this, frame);
    }
    if (frame.type === 'pong') this.#dial.heart.pong(this, frame);
    this.#dial.events.frame(this, frame);
  }

  #stop(hasFailed: boolean): void {
    this.#done = true;
    clearTimeout(this.#deadline);
    this.#dial.heart.detach(this, hasFailed);
    this.#socket.onopen = this.#socket.onmessage = this.#socket.onclose = null;
  }

  #finish(code: number): void {
    if (this.#done) return;
    this.#stop(code === CLOSE_ABNORMAL);
    this.#socket.close();
    this.#dial.events.closed(this, code);
  }
}

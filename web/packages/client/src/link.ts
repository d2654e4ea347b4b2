// The WebSocket transport, one WebSocket to one gateway: joins, passes frames on in order, and sends the
// heartbeats that the keeper asks for. A link calls `closed` once and is not used again.

import { type Channel, type ChannelEvents, type Join } from './channel.ts';
import { clientFacts } from './facts.ts';
import { canInflate, inflate } from './inflate.ts';
import { keeper } from './keeper.ts';
import { CLOSE_ABNORMAL, readFrame, type ClientFrame } from './protocol.ts';

const HELLO_WAIT_MS = 8_000;
/** Prefix of the subprotocols of version 1.1. A server of version 1.0 refuses a join with facts. */
const VERSION_1_1 = 'barrage.v1.1.';
/** Frames that wait for the decoder. With more than this the link is abandoned, and the next one resumes. */
const UNREAD_MAX = 512;

export class Link implements Channel {
  readonly transport = 'ws';
  #socket: WebSocket;
  #tail: Promise<void> = Promise.resolve();
  #unread = 0;
  #deadline: number | undefined;
  #done = false;
  /** Time of the hello in `performance.now()`; null before. */
  joinedAt: number | null = null;

  constructor(
    url: string,
    join: Join,
    private readonly events: ChannelEvents,
  ) {
    const encodings = canInflate() ? ['deflate', 'json'] : ['json'];
    const versions = [VERSION_1_1, 'barrage.v1.'];
    this.#socket = new WebSocket(url, versions.flatMap((version) => encodings.map((encoding) => version + encoding)));
    this.#socket.binaryType = 'arraybuffer';
    this.#socket.onopen = () => {
      this.send({
        type: 'join',
        ...(join.token === null ? {} : { token: join.token }),
        ...(join.after === null ? {} : { after: join.after }),
        ...(this.#socket.protocol.startsWith(VERSION_1_1) ? { client: clientFacts() } : {}),
      });
    };
    this.#socket.onmessage = (event) => this.#enqueue(event.data as string | ArrayBuffer);
    this.#socket.onclose = (event) => {
      this.#tail = this.#tail.then(() => this.#finish(event.code));
    };
    this.#deadline = setTimeout(() => this.abandon(), HELLO_WAIT_MS);
  }

  send(frame: ClientFrame): void {
    this.#write(frame);
    keeper().sent(this);
  }

  /** Sends a heartbeat, which does not count as a frame that could take one along. */
  ping(id: number): void {
    this.#write({ type: 'ping', id });
  }

  /** Checks with a ping whether the gateway still answers. */
  probe(): void {
    keeper().examine();
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
    if (this.#socket.readyState === WebSocket.OPEN) this.#socket.send(JSON.stringify(frame));
  }

  #enqueue(data: string | ArrayBuffer): void {
    keeper().received(this);
    this.#unread += 1;
    if (this.#unread > UNREAD_MAX) return this.abandon();
    // One queue for both kinds: a text frame must not overtake a compressed one.
    this.#tail = this.#tail
      .then(() => (typeof data === 'string' ? data : inflate(data)))
      .then((json) => this.#read(json))
      .catch(() => this.abandon())
      .finally(() => {
        this.#unread -= 1;
      });
  }

  #read(json: string): void {
    if (this.#done) return;
    const frame = readFrame(json);
    if (!frame) return;
    if (frame.type === 'hello') {
      this.joinedAt = performance.now();
      clearTimeout(this.#deadline);
      keeper().attach(this, frame);
    }
    if (frame.type === 'pong') keeper().pong(this, frame);
    this.events.frame(this, frame);
  }

  #stop(hasFailed: boolean): void {
    this.#done = true;
    clearTimeout(this.#deadline);
    keeper().detach(this, hasFailed);
    this.#socket.onopen = this.#socket.onmessage = this.#socket.onclose = null;
  }

  #finish(code: number): void {
    if (this.#done) return;
    this.#stop(code === CLOSE_ABNORMAL);
    this.#socket.close();
    this.events.closed(this, code);
  }
}

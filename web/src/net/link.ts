// One WebSocket to one gateway: joins, passes frames on in order, and sends heartbeats. A link calls
// `closed` once and is not used again.

import { canInflate, inflate } from './inflate.ts';
import { readFrame, type ClientFrame, type ServerFrame } from './protocol.ts';

const HELLO_WAIT_MS = 8_000;
const PONG_WAIT_MS = 8_000;
const PROBE_WAIT_MS = 3_000;
/** Frames that wait for the decoder. With more than this the link is abandoned, and the next one resumes. */
const UNREAD_MAX = 512;
/** Close code when this side finds the link dead: "abnormal" of RFC 6455. */
const CLOSE_ABNORMAL = 1006;

export interface LinkEvents {
  frame(link: Link, frame: ServerFrame): void;
  closed(link: Link, code: number): void;
}

export class Link {
  #socket: WebSocket;
  #tail: Promise<void> = Promise.resolve();
  #unread = 0;
  #pingId = 0;
  #heartbeat: number | undefined;
  #deadline: number | undefined;
  #done = false;
  /** Time of the hello in `performance.now()`; null before. */
  joinedAt: number | null = null;

  constructor(
    url: string,
    join: { token: string | null; after: number | null },
    private readonly events: LinkEvents,
  ) {
    const protocols = canInflate() ? ['barrage.v1.deflate', 'barrage.v1.json'] : ['barrage.v1.json'];
    this.#socket = new WebSocket(url, protocols);
    this.#socket.binaryType = 'arraybuffer';
    this.#socket.onopen = () => {
      this.send({
        type: 'join',
        ...(join.token === null ? {} : { token: join.token }),
        ...(join.after === null ? {} : { after: join.after }),
      });
    };
    this.#socket.onmessage = (event) => this.#enqueue(event.data as string | ArrayBuffer);
    this.#socket.onclose = (event) => {
      this.#tail = this.#tail.then(() => this.#finish(event.code));
    };
    this.#expect(HELLO_WAIT_MS);
  }

  send(frame: ClientFrame): void {
    if (this.#socket.readyState === WebSocket.OPEN) this.#socket.send(JSON.stringify(frame));
  }

  /** Checks with a ping whether the gateway still answers. */
  probe(): void {
    if (this.joinedAt !== null) this.#ping(PROBE_WAIT_MS);
  }

  /** Closes the link without a `closed` call. */
  leave(): void {
    this.#stop();
    this.#socket.close(1000);
  }

  /** Abandons the link as dead, with a `closed` call. */
  abandon(): void {
    this.#finish(CLOSE_ABNORMAL);
  }

  #enqueue(data: string | ArrayBuffer): void {
    this.#alive();
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
      this.#alive();
      const every = Math.max(frame.ping_interval_ms, 1_000);
      this.#heartbeat = setInterval(() => this.#ping(PONG_WAIT_MS), every);
    }
    this.events.frame(this, frame);
  }

  #ping(waitMs: number): void {
    this.#pingId += 1;
    this.send({ type: 'ping', id: this.#pingId });
    this.#expect(waitMs);
  }

  #expect(waitMs: number): void {
    clearTimeout(this.#deadline);
    this.#deadline = setTimeout(() => this.abandon(), waitMs);
  }

  /** Ends the wait for an answer: after the hello, any frame shows that the gateway answers. */
  #alive(): void {
    if (this.joinedAt !== null) clearTimeout(this.#deadline);
  }

  #stop(): void {
    this.#done = true;
    clearTimeout(this.#deadline);
    clearInterval(this.#heartbeat);
    this.#socket.onopen = this.#socket.onmessage = this.#socket.onclose = null;
  }

  #finish(code: number): void {
    if (this.#done) return;
    this.#stop();
    this.#socket.close();
    this.events.closed(this, code);
  }
}

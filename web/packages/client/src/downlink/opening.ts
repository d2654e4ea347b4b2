// Attempts to open a channel, one endpoint after the other, until one has received its hello.

import type { Channel, ChannelEvents, Endpoint } from './channel.ts';
import { CLOSE_ABNORMAL, CLOSE_PROTOCOL_MIN, type Hello, type Refusal, type ServerFrame } from '../protocol/frames.ts';

/** Endpoints to try, in an order that depends on the failures. */
export interface Plan {
  first(): Endpoint | null | Promise<Endpoint | null>;
  failed(cause: 'blocked' | 'refused'): Endpoint | null | Promise<Endpoint | null>;
  opened(): void;
}

export interface Outcome extends ChannelEvents {
  joined(opening: Opening, channel: Channel, hello: Hello): void;
  /** No endpoint was opened. The close code is 1006 where no server answered. */
  failed(opening: Opening, code: number, refusal: Refusal | null): void;
}

export class Opening {
  #channel: Channel | null = null;
  #refusal: Refusal | null = null;
  #over = false;

  constructor(
    private readonly plan: Plan,
    private readonly dial: (endpoint: Endpoint, events: ChannelEvents) => Channel,
    private readonly outcome: Outcome,
  ) {}

  /** The caller hears of a failure after it has this value. */
  async start(): Promise<void> {
    await this.#go(() => this.plan.first(), CLOSE_ABNORMAL);
  }

  /** Drops the attempts without a call. */
  cancel(): void {
    if (this.#over) return;
    this.#over = true;
    this.#channel?.leave();
  }

  #try(endpoint: Endpoint): void {
    this.#refusal = null;
    try {
      this.#channel = this.dial(endpoint, {
        frame: (channel, frame) => this.#read(channel, frame),
        closed: (channel, code) => this.#closed(channel, code),
      });
    } catch {
      // The platform has no such transport, or its policy forbids the address.
      queueMicrotask(() => this.#ended(CLOSE_ABNORMAL));
    }
  }

  #read(channel: Channel, frame: ServerFrame): void {
    if (this.#over) return this.outcome.frame(channel, frame);
    if (frame.type === 'error') this.#refusal = frame;
    if (frame.type !== 'hello') return;
    this.#over = true;
    this.plan.opened();
    this.outcome.joined(this, channel, frame);
  }

  #closed(channel: Channel, code: number): void {
    if (this.#over) return this.outcome.closed(channel, code);
    this.#ended(code);
  }

  #ended(code: number): void {
    const isRefused = code >= CLOSE_PROTOCOL_MIN;
    void this.#go(() => this.plan.failed(isRefused ? 'refused' : 'blocked'), isRefused ? code : CLOSE_ABNORMAL);
  }

  /** Goes on with the endpoint that the plan names, or fails with this code. */
  async #go(next: () => Endpoint | null | Promise<Endpoint | null>, code: number): Promise<void> {
    if (this.#over) return;
    // A part of the client that cannot be loaded names no endpoint.
    const endpoint = await Promise.resolve().then(next).catch(() => null);
    if (this.#over) return;
    if (endpoint) this.#try(endpoint);
    else this.#fail(code);
  }

  #fail(code: number): void {
    if (this.#over) return;
    this.#over = true;
    this.outcome.failed(this, code, this.#refusal);
  }
}

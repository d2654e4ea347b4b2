// An HTTP transport whose code is loaded when the ladder comes to it: most clients never need it.

import { type Channel, type Dial, type Transport } from './channel.ts';
import { CLOSE_ABNORMAL, type ClientFrame } from '../protocol/frames.ts';

export class Loaded implements Channel {
  #channel: Channel | null = null;
  #done = false;

  constructor(
    readonly transport: Exclude<Transport, 'ws'>,
    private readonly dial: Dial,
  ) {
    void this.#load().catch(() => this.abandon());
  }

  get joinedAt(): number | null {
    return this.#channel?.joinedAt ?? null;
  }

  send(frame: ClientFrame): void {
    this.#channel?.send(frame);
  }

  probe(): void {
    this.#channel?.probe();
  }

  leave(): void {
    this.#done = true;
    this.#channel?.leave();
  }

  abandon(): void {
    this.#closed(CLOSE_ABNORMAL);
  }

  async #load(): Promise<void> {
    const { EventStream, LongPoll } = await import('./http.ts');
    if (this.#done) return;
    const { events } = this.dial;
    const dial: Dial = {
      ...this.dial,
      events: { frame: (_, frame) => events.frame(this, frame), closed: (_, code) => this.#closed(code) },
    };
    this.#channel = this.transport === 'sse' ? new EventStream(dial) : new LongPoll(dial);
  }

  #closed(code: number): void {
    if (this.#done) return;
    this.leave();
    this.dial.events.closed(this, code);
  }
}

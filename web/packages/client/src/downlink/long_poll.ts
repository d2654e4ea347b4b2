// Long polling, for networks that pass nothing else: one request after the other.

import type { Dial } from './channel.ts';
import { clientFacts } from '../facts.ts';
import { ANSWER_WAIT_MS, HttpChannel, type Polled } from './http_channel.ts';

/** Longest wait of a poll at the server. */
const WAIT_SECS = 20;
/** Time beyond it after which a poll is given up. */
const MARGIN_MS = 10_000;
/** Shortest time between two polls without a message, for a server that does not wait. */
const PACE_MS = 500;

export class LongPoll extends HttpChannel {
  readonly transport = 'poll';

  constructor(dial: Dial) {
    super(dial);
    void this.#run().catch((error: unknown) => this.fail(error));
  }

  async #run(): Promise<void> {
    const { after, token } = this.dial.join();
    // The first answer has the position of the room, or what this viewer missed.
    const facts = { client: JSON.stringify(clientFacts(this.dial.host)) };
    const first = await this.poll(after === null ? facts : { after, ...facts }, ANSWER_WAIT_MS);
    const { room = '', sequence } = first.batch;
    const { state } = first.batch;
    const hello = { type: 'hello', room, connection: 'poll', ping_interval_ms: 0, sequence, resume: after !== null, online: null } as const;
    this.frame(state ? { ...hello, state } : hello);
    this.#take(first);
    let position = sequence;
    // An empty `ack` announces that this client acknowledges notices, so that they end the wait.
    const acks: Record<string, string> = token === null ? {} : { ack: '' };
    while (!this.done) {
      const began = performance.now();
      const next = await this.poll({ after: position, wait_secs: WAIT_SECS, ...acks }, WAIT_SECS * 1000 + MARGIN_MS);
      this.#take(next);
      if (next.batch.sequence > position) position = next.batch.sequence;
      else await new Promise((resolve) => setTimeout(resolve, began + PACE_MS - performance.now()));
    }
  }

  #take({ batch, notices }: Polled): void {
    for (const notice of notices) this.frame({ ...notice, type: 'notice' });
    // A first answer without a position to resume after has no range.
    if (batch.repair) this.frame(batch);
  }
}

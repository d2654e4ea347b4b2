// What the two HTTP transports share: requests with a deadline, repairs and acknowledgements by the
// poll resource, and one end.

import type { Channel, Dial, Transport } from './channel.ts';
import { closeOf, refusalOf } from './refusals.ts';
import { CLOSE_ABNORMAL, readFrame, type Batch, type ClientFrame, type Notice, type Refusal, type ServerFrame } from '../protocol/frames.ts';

/** Longest wait for the hello, and for the answer to a repair or an acknowledgement. */
export const ANSWER_WAIT_MS = 8_000;
const PROBE_WAIT_MS = 3_000;

/** A Barrage server refused the request. */
export class Refused extends Error {
  constructor(readonly refusal: Refusal) {
    super(refusal.message);
  }
}

export interface Polled {
  batch: Batch;
  notices: Notice[];
}

export interface Asked {
  answer: Response;
  open: () => void;
  clear: () => void;
}

export abstract class HttpChannel implements Channel {
  abstract readonly transport: Transport;
  joinedAt: number | null = null;
  #done = false;
  #requests = new Set<() => void>();

  constructor(protected readonly dial: Dial) {}

  send(frame: ClientFrame): void {
    if (frame.type === 'repair') void this.#repair(frame.after);
    if (frame.type === 'ack') void this.poll({ ack: frame.sequences.join(',') }, ANSWER_WAIT_MS).catch(() => undefined);
  }

  probe(): void {
    if (this.joinedAt !== null) this.poll({}, PROBE_WAIT_MS).catch((error: unknown) => this.fail(error));
  }

  leave(): void {
    this.#done = true;
    this.abort();
    this.stopped();
  }

  /** Ends the requests that have no whole answer. */
  protected abort(): void {
    for (const abort of [...this.#requests]) abort();
  }

  abandon(): void {
    this.finish(CLOSE_ABNORMAL);
  }

  /** Clears the timers of a transport. */
  protected stopped(): void {}

  protected get done(): boolean {
    return this.#done;
  }

  protected frame(frame: ServerFrame): void {
    if (this.#done) return;
    if (frame.type === 'hello') this.joinedAt = performance.now();
    this.dial.events.frame(this, frame);
  }

  protected finish(code: number): void {
    if (this.#done) return;
    this.leave();
    this.dial.events.closed(this, code);
  }

  /** Ends the channel after a failed request, with the refusal if a server gave one. */
  protected fail(error: unknown): void {
    if (!(error instanceof Refused)) return this.abandon();
    const code = closeOf(error.refusal);
    if (code !== CLOSE_ABNORMAL) this.frame({ type: 'error', ...error.refusal });
    this.finish(code);
  }

  /**
   * Requests a URL. Until `clear` is called, the deadline covers the answer, and the end of the channel
   * aborts it. With `open` the deadline ends, for a body without an end.
   */
  protected async request(url: string, waitMs: number): Promise<Asked> {
    const abort = new AbortController();
    const stop = () => abort.abort();
    this.#requests.add(stop);
    const { signal, failed, done } = this.dial.host.deadline(waitMs);
    signal.addEventListener('abort', stop);
    const clear = () => {
      done();
      this.#requests.delete(stop);
    };
    try {
      const { token } = this.dial.join();
      const headers: Record<string, string> = token === null ? {} : { Authorization: `Bearer ${token}` };
      const init: RequestInit = { headers, cache: 'no-store', redirect: 'error', signal: abort.signal };
      const answer = await Promise.race([this.dial.host.fetch(url, init), failed]);
      if (answer.ok) return { answer, open: done, clear };
      const refusal = await refusalOf(answer);
      throw refusal ? new Refused(refusal) : new TypeError(`status ${answer.status}`);
    } catch (error) {
      clear();
      throw error;
    }
  }

  /** Asks the poll resource. */
  protected async poll(query: Record<string, string | number>, waitMs: number): Promise<Polled> {
    const url = new URL(this.dial.url);
    url.pathname = url.pathname.replace(/\/(sse|poll)$/, '/poll');
    url.searchParams.delete('ticket');
    const { platform } = this.dial.host;
    // A poll has no connection that would remember it.
    if (platform === 'overlay') url.searchParams.set('platform', platform);
    for (const [name, value] of Object.entries(query)) url.searchParams.set(name, String(value));
    const { answer, clear } = await this.request(url.href, waitMs);
    try {
      const json = await answer.text();
      const batch = readFrame(json);
      if (batch?.type !== 'batch') throw new TypeError('the answer to a poll is no batch');
      const { notices } = JSON.parse(json) as { notices?: Notice[] };
      return { batch, notices: notices ?? [] };
    } finally {
      clear();
    }
  }

  /** A repair without an answer is left: the connection begins again, and resumes. */
  async #repair(after: number): Promise<void> {
    try {
      this.frame((await this.poll({ after }, ANSWER_WAIT_MS)).batch);
    } catch {
      // The caller has a deadline for its repairs.
    }
  }
}

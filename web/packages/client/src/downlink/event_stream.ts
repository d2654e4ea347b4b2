// Event stream over `fetch`, for networks that break WebSockets. An `EventSource` could not send the
// token in a header.

import type { Dial } from './channel.ts';
import { closeOf } from './refusals.ts';
import { clientFacts } from '../facts.ts';
import { ANSWER_WAIT_MS, HttpChannel } from './http_channel.ts';
import type { Host } from '../host.ts';
import { CLOSE_ABNORMAL, readFrame, type ClientFrame } from '../protocol/frames.ts';

/** Largest event in characters. A larger one ends the channel. */
const EVENT_MAX = 8 * 1024 * 1024;
/** Heartbeat intervals of silence after which the channel is abandoned. */
const SILENT_HEARTBEATS = 1.5;
/** Rooms with an inbox: their streams ask for its bells. */
const WITH_INBOX = new WeakSet<Host>();

export class EventStream extends HttpChannel {
  readonly transport = 'sse';
  #silence: number | undefined;
  #silenceMs = ANSWER_WAIT_MS;
  /** Close code of the refusal that came as the last event. */
  #end = CLOSE_ABNORMAL;
  /** Number of the request whose events count. */
  #run = 0;

  constructor(dial: Dial) {
    super(dial);
    this.#begin();
  }

  /** Takes `attach` and `detach`, beside what the poll resource takes. */
  override send(frame: ClientFrame): void {
    const { host } = this.dial;
    if (frame.type === 'detach') WITH_INBOX.delete(host);
    if (frame.type === 'attach' && !WITH_INBOX.has(host)) {
      WITH_INBOX.add(host);
      // A stream gets bells from its beginning alone: it begins again, once the hello of this one is taken, behind its position.
      queueMicrotask(() => {
        if (this.done) return;
        this.abort();
        this.#begin();
      });
    }
    super.send(frame);
  }

  protected override stopped(): void {
    clearTimeout(this.#silence);
  }

  #begin(): void {
    const run = ++this.#run;
    this.#read(run).catch((error: unknown) => {
      if (run === this.#run) this.fail(error);
    });
  }

  async #read(run: number): Promise<void> {
    this.#alive();
    const url = new URL(this.dial.url);
    // A ticket is for one request.
    if (run > 1) url.searchParams.delete('ticket');
    if (WITH_INBOX.has(this.dial.host)) url.searchParams.set('inbox', 'true');
    const { after } = this.dial.join();
    if (after !== null) url.searchParams.set('after', String(after));
    url.searchParams.set('client', JSON.stringify(clientFacts(this.dial.host)));
    const { answer, open } = await this.request(url.href, ANSWER_WAIT_MS);
    const type = answer.headers.get('Content-Type') ?? '';
    // A captive portal answers with a page.
    if (!type.startsWith('text/event-stream') || !answer.body) throw new TypeError('no event stream');
    const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
    const events = new EventText();
    for (;;) {
      const { done, value } = await reader.read();
      if (run !== this.#run) return;
      if (done || this.done) break;
      this.#alive();
      for (const data of events.take(value)) this.#event(data, open);
    }
    this.finish(this.#end);
  }

  #event(data: string, open: () => void): void {
    const frame = readFrame(data);
    if (!frame) return;
    if (frame.type === 'hello') {
      // The silence bounds the stream from here on.
      open();
      this.#silenceMs = Math.max(frame.ping_interval_ms, 1_000) * SILENT_HEARTBEATS;
      this.#alive();
    }
    if (frame.type === 'error') this.#end = closeOf(frame);
    this.frame(frame);
  }

  #alive(): void {
    clearTimeout(this.#silence);
    if (!this.done) this.#silence = setTimeout(() => this.abandon(), this.#silenceMs);
  }
}

/** Text of a stream that is not a whole event yet. */
export class EventText {
  #text = '';

  /** Adds text and returns the data of the events that it completes. Comments have none. */
  take(more: string): string[] {
    this.#text += more;
    const events = this.#text.split(/\r?\n\r?\n/);
    this.#text = events.pop() ?? '';
    if (this.#text.length > EVENT_MAX) throw new RangeError('an event is too large');
    return events.flatMap((event) => {
      const line = event.split(/\r?\n/).find((one) => one.startsWith('data:'));
      return line === undefined ? [] : [line.slice(5).trimStart()];
    });
  }
}

// What arrives in a room: puts batches in order, repairs gaps, reads bodies, and gives out messages, counters,
// notices, losses and the state of the room. It is loaded while the first connection opens.

import { Chain, type Step } from './protocol/chain.ts';
import type { RoomEvents, RoomMessage, RoomView } from './events.ts';
import type { Host } from './host.ts';
import { Merged } from './protocol/merged.ts';
import { Notices } from './downlink/notices.ts';
import { readBody } from './protocol/bodies.ts';
import { readPulse } from './protocol/pulse.ts';
import type { BatchMessage, Batch, ClientFrame, Hello, Notice, ServerFrame } from './protocol/frames.ts';
import type { Signal } from './protocol/bodies.ts';

/** Longest wait for the answer to a repair. After it the connection starts again and resumes. */
const REPAIR_WAIT_MS = 5_000;
/** Time in the background after which chat is counted: by the server where it can, else here. */
const HIDDEN_MS = 30_000;

/** Connection and listeners of an inbox. */
export interface Sink {
  /** User id of this viewer. */
  readonly user: string | null;
  emit<Type extends keyof RoomEvents>(type: Type, event: RoomEvents[Type]): void;
  /** Takes the state of the room, or the number of viewers, or the role that the room gave. */
  know(known: { view?: RoomView; online?: number; role?: string }): void;
  send(frame: ClientFrame): void;
  /** Starts the connection again. */
  abandon(): void;
  kickedUntil(untilMs: number): void;
}

export class Inbox {
  #chain = new Chain();
  #merged = new Merged();
  #notices: Notices;
  #repairing: number | undefined;
  /** Time at which the page went to the background; null while it is shown. */
  #hiddenAtMs: number | null = null;
  #hiddenCount = 0;
  #hiding: number | undefined;
  /** Whether the server of this connection takes `visibility` frames, and whether it counts chat now. */
  #server = { takes: false, counts: false };

  constructor(
    private readonly host: Host,
    private readonly sink: Sink,
    private readonly background: 'counts' | 'all',
  ) {
    this.#notices = new Notices((sequences) => sink.send({ type: 'ack', sequences }));
    host.watch({ shown: () => this.#shown() });
    this.#shown();
  }

  /** Last position that was delivered; null before the first hello. */
  get last(): number | null {
    return this.#chain.last;
  }

  /** Takes a frame of the connection that carries. */
  take(frame: ServerFrame): void {
    switch (frame.type) {
      case 'hello':
        return this.#hello(frame);
      case 'batch':
        return this.#batch(frame);
      case 'notice':
        return this.#notice(frame);
      case 'attached':
      case 'mail':
      case 'bell':
        return this.sink.emit('mail', frame);
      case 'error':
        if (this.#chain.waiting && frame.retry_after_ms === undefined) this.#follow(this.#chain.skip());
    }
  }

  /** Forgets the wait for a repair: its connection has ended. */
  lost(): void {
    clearTimeout(this.#repairing);
    this.#repairing = undefined;
  }

  close(): void {
    this.lost();
    clearTimeout(this.#hiding);
    this.#notices.close();
  }

  #hello(hello: Hello): void {
    if (hello.online !== null) this.sink.know({ online: hello.online });
    this.#merge(hello.state);
    this.sink.emit('hello', hello);
    // Each connection begins with all of the chat.
    this.#server = { takes: hello.visibility === true, counts: false };
    this.#tell();
    this.#follow(this.#chain.hello(hello));
  }

  #batch(batch: Batch): void {
    if (batch.pulse) {
      const pulse = readPulse(batch.pulse);
      if (pulse.online !== undefined) this.sink.know({ online: pulse.online });
      this.sink.emit('pulse', pulse);
    }
    if (batch.state) this.#merge(batch.state);
    this.#follow(this.#chain.accept(batch));
  }

  #follow(step: Step): void {
    if (step.messages.length > 0) this.#deliver(step.messages);
    if (step.leftOut > 0) {
      if (this.#server.counts) this.#hiddenCount += step.leftOut;
      else this.sink.emit('loss', { kind: 'left_out', count: step.leftOut });
    }
    if (step.skipped > 0) this.sink.emit('loss', { kind: 'skipped', count: step.skipped });
    if (step.gone) this.sink.emit('loss', { kind: 'gone', count: 0 });
    if (this.host.closed) return;
    if (step.overflow) return this.sink.abandon();
    if (step.repair) this.sink.send({ type: 'repair', ...step.repair });
    if (!this.#chain.waiting) {
      this.lost();
    } else if (this.#repairing === undefined || step.repair) {
      clearTimeout(this.#repairing);
      this.#repairing = setTimeout(() => this.sink.abandon(), REPAIR_WAIT_MS);
    }
  }

  #deliver(arrived: BatchMessage[]): void {
    const messages: RoomMessage[] = [];
    const isCounting = this.#isCounting;
    for (const { sequence, class: group, body: raw } of arrived) {
      const body = readBody(raw);
      if (!body) continue;
      if (body.type === 'signal') this.#signal(body);
      if (group === 'chat' && isCounting) this.#hiddenCount += 1;
      else messages.push({ sequence, class: group, body });
    }
    if (messages.length > 0) this.sink.emit('batch', { messages, missed: 0 });
  }

  #notice(notice: Notice): void {
    if (!this.#notices.take(notice)) return;
    const body = readBody(notice.body);
    if (body?.type === 'signal') this.#signal(body);
    this.sink.emit('notice', { sequence: notice.sequence, body, raw: notice.body });
  }

  /** Takes what a signal says about this viewer and the room. */
  #signal(signal: Signal): void {
    this.#merge(signal.state);
    if (this.sink.user === null || signal.user !== this.sink.user) return;
    if (signal.signal === 'kick') this.sink.kickedUntil(signal.until_ms ?? Infinity);
    if (signal.signal === 'role') this.sink.know({ role: signal.role ?? 'viewer' });
  }

  #merge(state: unknown): void {
    const view = this.#merged.take(state);
    if (!view) return;
    this.sink.know({ view });
    this.sink.emit('roomState', view);
  }

  get #isCounting(): boolean {
    return this.background === 'counts' && this.#hiddenAtMs !== null && Date.now() - this.#hiddenAtMs >= HIDDEN_MS;
  }

  /** Reports to the server whether it may count chat instead of sending it. */
  #tell(): void {
    const counts = this.#isCounting;
    if (!this.#server.takes || this.#server.counts === counts) return;
    this.#server.counts = counts;
    this.sink.send({ type: 'visibility', hidden: counts });
  }

  #shown(): void {
    clearTimeout(this.#hiding);
    if (this.host.hidden) {
      this.#hiddenAtMs ??= Date.now();
      this.#hiding = setTimeout(() => this.#tell(), HIDDEN_MS);
      return;
    }
    this.#hiddenAtMs = null;
    this.#tell();
    const count = this.#hiddenCount;
    this.#hiddenCount = 0;
    if (count > 0) this.sink.emit('loss', { kind: 'hidden', count });
  }
}

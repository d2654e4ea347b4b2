// The archive of a room: the history by offset into the stream, a window at a time, with what comes next first.

import { Api, ApiFailure } from '@barrage/ui/api.ts';
import { Coverage } from './timeline/coverage.ts';
import { type Message } from './timeline/message.ts';
import { readRecorded, type Recorded } from './files/jsonl.ts';

/** Messages in one page of the history. */
const PAGE = 1_000;
/** Pages of one window, at most; what is behind them is missing, and counted. */
const WINDOW_PAGES_MAX = 50;
/** Messages of one archive, at most. Beyond it windows are loaded only where the replay is. */
const MESSAGES_MAX = 300_000;
/** Time ahead of the position that is loaded even beyond MESSAGES_MAX. */
const AHEAD_MS = 180_000;
/** Wait after a refusal that names none, and pause between two windows that nobody waits for. */
const RETRY_MS = 3_000;
const BACKGROUND_MS = 60;
/** Period in which an archive that is loaded is asked for more: the stream may still run. */
const REFRESH_MS = 10_000;

interface Page {
  messages: Recorded[];
  more: boolean;
  next?: { from_ms?: number };
}

export interface ArchiveEvents {
  messages: (messages: Message[]) => void;
  /** The end of the archive is known, or a window arrived. */
  changed: () => void;
  failed: (message: string) => void;
}

export class Archive {
  readonly coverage = new Coverage();
  /** Offset of the newest message; null before it is known. */
  endMs: number | null = null;
  /** Windows that have more messages than the replay keeps. */
  cut = 0;
  #api: Promise<Api> | null = null;
  #positionMs = 0;
  #count = 0;
  #closed = false;
  #wake: (() => void) | null = null;

  constructor(
    readonly room: string,
    private readonly token: string | null,
    private readonly events: ArchiveEvents,
  ) {
    void this.#run();
  }

  /** Loads from another position on. */
  seek(ms: number): void {
    this.#positionMs = ms;
    this.#wake?.();
  }

  close(): void {
    this.#closed = true;
    this.#wake?.();
  }

  async #run(): Promise<void> {
    await this.#readEnd();
    while (!this.#closed) {
      const window = this.#next();
      if (window !== null) {
        if (await this.#load(window)) await this.#pause(BACKGROUND_MS);
      } else {
        await this.#pause(REFRESH_MS);
        await this.#readEnd();
      }
    }
  }

  /** Reads how far the archive goes. Where it goes further than before, the window of the old end has more. */
  async #readEnd(): Promise<void> {
    const newest = await this.#page({ limit: 1 });
    const offset = newest?.messages.at(-1)?.offset_ms;
    const endMs = typeof offset === 'number' ? offset : 0;
    if (this.endMs !== null && endMs <= this.endMs) return;
    if (this.endMs !== null) this.coverage.forget(this.coverage.windowOf(this.endMs));
    this.endMs = endMs;
    this.events.changed();
  }

  #next(): number | null {
    const endMs = this.endMs ?? 0;
    if (this.#count < MESSAGES_MAX) return this.coverage.next(this.#positionMs, endMs);
    const toMs = Math.min(endMs, this.#positionMs + AHEAD_MS);
    const window = this.coverage.next(this.#positionMs, toMs);
    return window !== null && window >= this.coverage.windowOf(this.#positionMs) ? window : null;
  }

  /** Loads one window. Returns false when the archive is closed. */
  async #load(window: number): Promise<boolean> {
    const toMs = (window + 1) * this.coverage.windowMs;
    let fromMs = window * this.coverage.windowMs;
    for (let pages = 0; ; pages += 1) {
      const page = await this.#page({ from_ms: fromMs, to_ms: toMs, limit: PAGE });
      if (!page) return false;
      const messages = page.messages.flatMap((recorded) => readRecorded(recorded) ?? []);
      this.#count += messages.length;
      this.events.messages(messages);
      const next = page.next?.from_ms;
      if (!page.more || next === undefined) break;
      // More messages in one millisecond than a page holds cannot be asked for.
      if (pages >= WINDOW_PAGES_MAX || next <= fromMs) {
        this.cut += 1;
        break;
      }
      fromMs = next;
    }
    this.coverage.load(window);
    this.events.changed();
    return true;
  }

  /** Reads a page, and tries again until the server answers; null when the archive is closed. */
  async #page(query: Record<string, number>): Promise<Page | null> {
    const words = Object.entries(query).map(([name, value]) => `${name}=${value}`);
    while (!this.#closed) {
      try {
        this.#api ??= uplinkOf(this.room).then((base) => new Api(this.token, base));
        const page = await (await this.#api).get<Page>(`${historyPath(this.room)}?${words.join('&')}`);
        return this.#closed ? null : page;
      } catch (error) {
        if (!(error instanceof ApiFailure)) throw error;
        if (this.#closed) return null;
        this.#api = null;
        this.events.failed(error.message);
        await this.#pause(error.retryAfterMs ?? RETRY_MS);
      }
    }
    return null;
  }

  /** Waits, or until another position is sought. */
  #pause(ms: number): Promise<void> {
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, Math.min(ms, 2 ** 31 - 1));
      this.#wake = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }
}

export function historyPath(room: string): string {
  return `/v1/rooms/${encodeURIComponent(room)}/history`;
}

/** Returns the base of an uplink of the room; empty for the page's own origin, also where the room is closed. */
export async function uplinkOf(room: string): Promise<string> {
  const answer = await new Api(null).get<{ uplinks?: unknown }>(`/v1/entry?room=${encodeURIComponent(room)}&purpose=send`).catch(() => null);
  const first: unknown = Array.isArray(answer?.uplinks) ? answer.uplinks[0] : undefined;
  return typeof first === 'string' && URL.canParse(first) && new URL(first).origin !== location.origin ? first.replace(/\/$/, '') : '';
}

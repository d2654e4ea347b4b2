// Where the room's gateways and uplinks are. This page's own origin is always the last
// of them: one process serves everything.

import { Backoff } from './backoff.ts';

const TIMEOUT_MS = 5_000;
/** An answer is kept at least this long, whatever it says. */
const TTL_MS_MIN = 5_000;

interface EntryAnswer {
  downlinks?: { transport: string; url: string }[];
  uplinks?: string[];
  ttl_ms?: number;
  backoff_base_ms?: number;
  backoff_max_ms?: number;
}

export class Entry {
  #downlinks: string[] = [];
  #uplinks: string[] = [];
  #freshUntil = 0;
  /** Between attempts to connect, as entry wants it. */
  readonly backoff = new Backoff(500, 30_000);

  constructor(private readonly room: string) {}

  /** WebSocket URLs in the order to try. This page's own origin is always the last of them. */
  async downlinks(): Promise<string[]> {
    if (performance.now() >= this.#freshUntil) await this.#ask();
    const own = new URL(`/v1/rooms/${encodeURIComponent(this.room)}/ws`, location.href);
    own.protocol = location.protocol === 'https:' ? 'wss:' : 'ws:';
    return [...new Set([...this.#downlinks, own.href])];
  }

  /** Base URLs to post to, in the order to try. */
  async uplinks(): Promise<string[]> {
    if (performance.now() >= this.#freshUntil) await this.#ask();
    return [...new Set([...this.#uplinks, location.origin])];
  }

  /** The next call asks again. */
  forget(): void {
    this.#freshUntil = 0;
  }

  async #ask(): Promise<void> {
    try {
      const answer = await fetch(`/v1/entry?room=${encodeURIComponent(this.room)}`, {
        signal: AbortSignal.timeout(TIMEOUT_MS),
        cache: 'no-store',
      });
      if (!answer.ok) return;
      const entry = (await answer.json()) as EntryAnswer;
      this.#downlinks = (entry.downlinks ?? []).filter((e) => e.transport === 'ws').map((e) => socketUrl(e.url));
      this.#uplinks = (entry.uplinks ?? []).map((url) => new URL(url, location.href).origin);
      this.backoff.limits(entry.backoff_base_ms ?? 500, entry.backoff_max_ms ?? 30_000);
      this.#freshUntil = performance.now() + Math.max(entry.ttl_ms ?? 60_000, TTL_MS_MIN);
    } catch {
      // Entry is away: the endpoints known so far and the own origin remain.
    }
  }
}

function socketUrl(url: string): string {
  const parsed = new URL(url, location.href);
  if (parsed.protocol === 'http:') parsed.protocol = 'ws:';
  if (parsed.protocol === 'https:') parsed.protocol = 'wss:';
  return parsed.href;
}

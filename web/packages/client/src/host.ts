// Surroundings of one room: the network, the storage, and what they report. Everything here may be
// injected, so that the client runs in pages, workers, Node.js and programs with a network of their own.

import { type Transport, TRANSPORTS } from './downlink/channel.ts';
import { Failure } from './failure.ts';
import type * as Later from './later.ts';

/** Storage of a browser, or an object with its three methods. */
export interface Store {
  getItem(key: string): string | null;
  setItem(key: string, value: string): void;
  removeItem(key: string): void;
}

/** Part of a WebSocket that the client uses. */
export interface Socket {
  binaryType: string;
  readonly readyState: number;
  readonly protocol: string;
  onopen: ((event: never) => void) | null;
  onmessage: ((event: never) => void) | null;
  onclose: ((event: never) => void) | null;
  send(data: string): void;
  close(code?: number): void;
}

/** Constructor of a WebSocket. */
export type SocketMaker = new (url: string, protocols: string[]) => Socket;

/** Function with the contract of `fetch`. */
export type Fetch = (url: string, init?: RequestInit) => Promise<Response>;

export interface HostOptions {
  /** Constructor of WebSockets; `null` for none. Default: that of the platform. */
  WebSocket?: SocketMaker | null | undefined;
  /** Default: that of the platform. */
  fetch?: Fetch | undefined;
  /** Storage for what is learned between visits; `null` for none. Default: those of the browser. */
  storage?: Store | null | undefined;
}

/** How long a value stays: as long as the tab, or until somebody clears the storage. */
type Lasting = 'session' | 'local';

interface Emitter {
  addEventListener(type: string, listener: () => void): void;
  removeEventListener(type: string, listener: () => void): void;
}

interface Surroundings {
  sessionStorage?: Store;
  localStorage?: Store;
  document?: Emitter & { readonly hidden: boolean };
  navigator?: { readonly connection?: Emitter & { readonly type?: string } };
}

/** Wait before a part of the client is loaded again that the network did not bring. */
const LOAD_AGAIN_MS = 5_000;

export class Host {
  readonly WebSocket: SocketMaker | null;
  /** Transports to use, best first. */
  readonly transports: readonly Transport[] = TRANSPORTS;
  /** Whether this client reads deflated frames. A decoder that cannot be loaded ends it. */
  inflates = canInflate();
  #fetch: Fetch;
  #storage: Store | null | undefined;
  #removers = new Set<() => void>();
  #closed = false;
  #later: Promise<typeof Later> | null = null;

  constructor(
    /** Base URLs of entry, the first one before the others. */
    readonly entries: readonly string[],
    options: HostOptions = {},
    /** What the server counts this client as. */
    readonly platform: 'web' | 'overlay' = 'web',
  ) {
    const { WebSocket = globalThis.WebSocket as unknown as SocketMaker | undefined } = options;
    this.WebSocket = WebSocket ?? null;
    this.#fetch = options.fetch ?? ((url, init) => fetch(url, init));
    this.#storage = options.storage;
  }

  /** First entry, whose process may be gateway and uplink too. */
  get origin(): string {
    return this.entries[0] ?? '';
  }

  get closed(): boolean {
    return this.#closed;
  }

  /** Returns an absolute URL for a path of the first entry, or for an absolute URL. */
  url(path: string): URL {
    return new URL(path, this.origin);
  }

  /** Requests a URL and reads the answer, both within the time. Throws when there is no answer. */
  async ask<T>(url: string, init: RequestInit, waitMs: number, read: (answer: Response) => T | Promise<T>): Promise<T> {
    const { signal, failed, done } = this.deadline(waitMs);
    try {
      return await Promise.race([this.fetch(url, { ...init, signal }).then(read), failed]);
    } finally {
      done();
    }
  }

  fetch(url: string, init: RequestInit): Promise<Response> {
    return this.#fetch(url, init);
  }

  /**
   * Starts a deadline. `signal` aborts and `failed` rejects after the time, and when the room is closed.
   * `done` ends the deadline without either.
   */
  deadline(waitMs: number): { signal: AbortSignal; failed: Promise<never>; done: () => void } {
    const abort = new AbortController();
    let fail: () => void = () => undefined;
    const failed = new Promise<never>((_, reject) => {
      fail = () => reject(new Failure('network', 'no answer in time'));
    });
    // A caller that has its answer does not look at the deadline any more.
    failed.catch(() => undefined);
    const stop = (): void => {
      done();
      abort.abort();
      fail();
    };
    const timer = setTimeout(stop, waitMs);
    const done = (): void => {
      clearTimeout(timer);
      this.#removers.delete(stop);
    };
    this.#removers.add(stop);
    if (this.#closed) stop();
    return { signal: abort.signal, failed, done };
  }

  /** Waits. Rejects when the room is closed meanwhile. */
  async sleep(ms: number): Promise<void> {
    const { failed, done } = this.deadline(2 ** 31 - 1);
    let timer: number | undefined;
    try {
      await Promise.race([failed, new Promise<void>((resolve) => (timer = setTimeout(resolve, ms)))]);
    } finally {
      clearTimeout(timer);
      done();
    }
  }

  /** Returns a stored value; null without one, and where the platform stores nothing. */
  recall(lasting: Lasting, key: string): string | null {
    try {
      return this.#store(lasting)?.getItem(key) ?? null;
    } catch {
      return null;
    }
  }

  /** Stores a value, or removes it. A storage that is full or forbidden stores nothing. */
  keep(lasting: Lasting, key: string, value: string | null): void {
    try {
      if (value === null) this.#store(lasting)?.removeItem(key);
      else this.#store(lasting)?.setItem(key, value);
    } catch {
      // The value lasts as long as the room.
    }
  }

  /** Whether nobody sees the page now. */
  get hidden(): boolean {
    return surroundings().document?.hidden ?? false;
  }

  /** Calls back until the room is closed. `changed` is about the type or the speed of the network. */
  watch(on: { online?(): void; offline?(): void; changed?(): void; shown(): void }): void {
    const { document, navigator } = surroundings();
    const scope = globalThis as unknown as Partial<Emitter>;
    this.#listen(scope, 'online', on.online);
    this.#listen(scope, 'offline', on.offline);
    this.#listen(navigator?.connection, 'change', on.changed);
    this.#listen(document, 'visibilitychange', on.shown);
  }

  /** Type of the network as the platform names it; null where the platform does not tell. */
  get networkType(): string | null {
    return surroundings().navigator?.connection?.type ?? null;
  }

  /**
   * Loads the part of the client that a connection needs behind its start, and tries again until it is there.
   * Rejects when the room is closed before.
   */
  later(): Promise<typeof Later> {
    this.#later ??= this.#load();
    return this.#later;
  }

  /** Aborts all requests and removes all listeners. */
  close(): void {
    this.#closed = true;
    for (const remove of [...this.#removers]) remove();
    this.#removers.clear();
  }

  async #load(): Promise<typeof Later> {
    for (;;) {
      try {
        return await import('./later.ts');
      } catch {
        await this.sleep(LOAD_AGAIN_MS);
      }
    }
  }

  #listen(target: Partial<Emitter> | undefined, type: string, listener: (() => void) | undefined): void {
    if (!listener) return;
    target?.addEventListener?.(type, listener);
    this.#removers.add(() => target?.removeEventListener?.(type, listener));
  }

  #store(lasting: Lasting): Store | null {
    if (this.#storage !== undefined) return this.#storage;
    // A sandboxed frame throws at the mere access.
    return surroundings()[lasting === 'session' ? 'sessionStorage' : 'localStorage'] ?? null;
  }
}

function surroundings(): Surroundings {
  return globalThis as unknown as Surroundings;
}

function canInflate(): boolean {
  try {
    return new DecompressionStream('deflate-raw') !== null;
  } catch {
    return false;
  }
}

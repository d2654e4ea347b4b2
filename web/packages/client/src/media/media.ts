// The media of a user: uploads, some at a time.

import type { TokenSource } from '../credentials.ts';
import type { Fetch, Store } from '../host.ts';
import type { Growing } from './growing.ts';
import { KeptUploads } from './kept.ts';
import { chunkBytesOf, networkOf } from './network.ts';
import { Tus, type Reply, type Signed } from './tus.ts';
import { Upload } from './upload.ts';

/** Uploads that send at once: as many as `media.user_uploads_max` admits. Others wait for a place. */
const AT_ONCE = 3;

export interface MediaOptions {
  /** Base URLs of the media hosts, in the order to ask, or the function that returns them. */
  hosts: string | readonly string[] | (() => Promise<readonly string[]>);
  /** Token of the user, called before the first upload and when the server refuses the last one. */
  token: TokenSource;
  /** Bytes of a piece that the server advises. Default: by the network. */
  chunkBytes?: number | undefined;
  /** Default: that of the platform. */
  fetch?: Fetch | undefined;
  /** Storage for unfinished uploads; `null` for none. Default: that of the browser. */
  storage?: Store | null | undefined;
}

/** How a file is uploaded. */
export interface Picked {
  /** Name of the file. Default: its own. */
  name?: string | undefined;
  /** `public` has an address that never ends, and needs the role host. Default: `private`. */
  visibility?: 'private' | 'public' | undefined;
  /** Whether a picture is made smaller before the upload where that pays. Default: true. */
  scales?: boolean | undefined;
}

/** Opens the media of a user. */
export function openMedia(options: MediaOptions): Media {
  return new Media(options);
}

export class Media {
  #tus: Tus;
  #kept: KeptUploads;
  #free = AT_ONCE;
  #waiting: (() => void)[] = [];

  /** Use `openMedia`. */
  constructor(private readonly options: MediaOptions) {
    this.#tus = new Tus(options.token, options.fetch ?? ((url, init) => fetch(url, init)));
    this.#kept = new KeptUploads(options.storage === undefined ? ownStorage() : options.storage);
  }

  /**
   * Begins the upload of a file, or continues the one that a reload has cut. A `Growing` is sent while its bytes come, and
   * holds one of three places until its end.
   */
  upload(file: Blob | Growing, { name = (file as Partial<File>).name ?? '', visibility = 'private', scales = true }: Picked = {}): Upload {
    const surroundings = {
      tus: this.#tus,
      kept: this.#kept,
      hosts: () => this.#hosts(),
      chunkBytes: () => chunkBytesOf(networkOf(), this.options.chunkBytes),
      turn: () => this.#turn(),
    };
    return new Upload(surroundings, { file, name, visibility, scales });
  }

  /**
   * Asks for a reference to a sticker, or to a medium that the user has uploaded before; null for any other. `cover` is the
   * digest of an uploaded picture that a clip has as its cover.
   */
  reference(digest: string, { cover }: { cover?: string | undefined } = {}): Promise<Signed | null> {
    return this.#ask((host) => this.#tus.reference(host, digest, cover));
  }

  /**
   * Makes a picture that the user has uploaded the user's avatar, or with null takes it away. Returns whether a host did.
   * The digest goes into `attrs.avatar` of the user's tokens then.
   */
  async avatar(digest: string | null): Promise<boolean> {
    return (await this.#ask((host) => this.#tus.avatar(host, digest))) ?? false;
  }

  /** Asks one host after the other, until one answers or refuses. */
  async #ask<Value>(ask: (host: string) => Promise<Reply<Value>>): Promise<Value | null> {
    for (const host of await this.#hosts()) {
      const reply = await ask(host);
      if (reply.kind === 'accepted') return reply.value;
      if (reply.status === 401) this.#tus.forgetToken();
      if (reply.status !== 0 && reply.status < 500) return null;
    }
    return null;
  }

  async #hosts(): Promise<readonly string[]> {
    const { hosts } = this.options;
    const here = (globalThis as { location?: { href?: string } }).location?.href;
    const all = typeof hosts === 'function' ? await hosts() : typeof hosts === 'string' ? [hosts] : hosts;
    return all.map((url) => new URL(url, here).href.replace(/\/+$/, ''));
  }

  async #turn(): Promise<() => void> {
    if (this.#free > 0) this.#free -= 1;
    else await new Promise<void>((resolve) => this.#waiting.push(resolve));
    return () => {
      const next = this.#waiting.shift();
      if (next) next();
      else this.#free += 1;
    };
  }
}

function ownStorage(): Store | null {
  try {
    return (globalThis as { localStorage?: Store }).localStorage ?? null;
  } catch {
    // A sandboxed frame throws at the mere access.
    return null;
  }
}

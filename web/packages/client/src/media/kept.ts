// Unfinished uploads between visits: where each continues, by the fingerprint of its file.

import type { Store } from '../host.ts';

const KEY = 'barrage.uploads';
/** Uploads that are kept; the one that ends first makes room. */
const UPLOADS_MAX = 32;
const CHARS_MAX = 64 * 1_024;

export interface KeptUpload {
  url: string;
  /** Unix time in milliseconds after which the server forgets the upload. */
  expiresMs: number;
}

export class KeptUploads {
  /** `storage` is null where nothing is stored: uploads last as long as the page. */
  constructor(
    private readonly storage: Store | null,
    private readonly nowMs: () => number = Date.now,
  ) {}

  find(fingerprint: string): KeptUpload | null {
    return this.#read()[fingerprint] ?? null;
  }

  keep(fingerprint: string, upload: KeptUpload): void {
    const others = Object.entries(this.#read()).filter(([key]) => key !== fingerprint);
    const newest = others.sort(([, one], [, other]) => other.expiresMs - one.expiresMs).slice(0, UPLOADS_MAX - 1);
    this.#write({ ...Object.fromEntries(newest), [fingerprint]: upload });
  }

  forget(fingerprint: string): void {
    const { [fingerprint]: known, ...others } = this.#read();
    if (known) this.#write(others);
  }

  #read(): Record<string, KeptUpload> {
    try {
      const text = this.storage?.getItem(KEY) ?? '';
      if (text === '' || text.length > CHARS_MAX) return {};
      const kept = Object.entries((JSON.parse(text) ?? {}) as Record<string, Partial<KeptUpload> | null>);
      const isGood = (one: Partial<KeptUpload> | null): one is KeptUpload => typeof one?.url === 'string' && Number(one.expiresMs) > this.nowMs();
      return Object.fromEntries(kept.flatMap(([key, one]) => (isGood(one) ? [[key, one]] : [])));
    } catch {
      return {};
    }
  }

  #write(uploads: Record<string, KeptUpload>): void {
    try {
      this.storage?.setItem(KEY, JSON.stringify(uploads));
    } catch {
      // The storage is full or forbidden: a reload begins anew.
    }
  }
}

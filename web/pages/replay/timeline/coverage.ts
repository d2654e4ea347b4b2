// Which windows of an archive are loaded, and which one to load next. Pure.

/** Length of one window of the archive. */
export const WINDOW_MS = 60_000;

export class Coverage {
  readonly #loaded = new Set<number>();

  constructor(readonly windowMs = WINDOW_MS) {}

  windowOf(ms: number): number {
    return Math.max(0, Math.floor(ms / this.windowMs));
  }

  load(window: number): void {
    this.#loaded.add(window);
  }

  /** Marks a window as missing, because it may have more by now. */
  forget(window: number): void {
    this.#loaded.delete(window);
  }

  has(window: number): boolean {
    return this.#loaded.has(window);
  }

  /** Returns the moment up to which all is loaded from `ms` on; `ms` itself where its window is missing. */
  loadedTo(ms: number): number {
    let window = this.windowOf(ms);
    if (!this.#loaded.has(window)) return ms;
    while (this.#loaded.has(window)) window += 1;
    return window * this.windowMs;
  }

  /** Returns the next window to load before `endMs`: the first missing one from `ms` on, then the ones before; null when all is there. */
  next(ms: number, endMs: number): number | null {
    const last = this.windowOf(endMs);
    const at = Math.min(this.windowOf(ms), last);
    for (let window = at; window <= last; window += 1) if (!this.#loaded.has(window)) return window;
    for (let window = at - 1; window >= 0; window -= 1) if (!this.#loaded.has(window)) return window;
    return null;
  }
}

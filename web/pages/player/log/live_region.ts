// Whether screen readers read the rows of the list as they come: not in a flood, and not rows of the past.
// A flood ends after a whole second with few rows, not with the first rows of the next second.

/** Rows in a second above which screen readers do not read the list. */
const SPOKEN_PER_SECOND_MAX = 6;

export class LiveRegion {
  #second = 0;
  #inSecond = 0;
  #inSecondBefore = 0;
  #isFlood = false;
  /** Changes whose frame has not been laid out yet. */
  #changes = 0;

  constructor(private readonly log: HTMLElement) {}

  /** Whether nothing is read now. */
  get silent(): boolean {
    return this.#isFlood || this.#changes > 0;
  }

  /** Counts rows that are about to be added. */
  rows(count: number): void {
    const second = Math.floor(performance.now() / 1000);
    if (second !== this.#second) {
      this.#inSecondBefore = second === this.#second + 1 ? this.#inSecond : 0;
      this.#second = second;
      this.#inSecond = 0;
    }
    this.#inSecond += count;
    this.#isFlood = Math.max(this.#inSecond, this.#inSecondBefore) > SPOKEN_PER_SECOND_MAX;
    this.#write();
  }

  /** Makes a change that screen readers do not read: its rows are not new. A flood stays silent behind it. */
  silently(change: () => void): void {
    this.#changes += 1;
    this.#write();
    // Assistive technology reads the attribute when the change is laid out.
    requestAnimationFrame(() => {
      this.#changes -= 1;
      this.#write();
    });
    change();
  }

  #write(): void {
    const live = this.silent ? 'off' : 'polite';
    if (this.log.getAttribute('aria-live') !== live) this.log.setAttribute('aria-live', live);
  }
}

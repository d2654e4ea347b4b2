// Time of the stage: it stops while the player is paused, follows the player's rate, and jumps when
// the player seeks. Pure: the time of the page is an argument.

export class StageClock {
  #stageMs = 0;
  #pageMs: number;
  #rate = 1;
  #running = true;

  constructor(pageMs: number) {
    this.#pageMs = pageMs;
  }

  get rate(): number {
    return this.#rate;
  }

  get running(): boolean {
    return this.#running;
  }

  /** Returns the time of the stage, in milliseconds. */
  at(pageMs: number): number {
    return this.#running ? this.#stageMs + (pageMs - this.#pageMs) * this.#rate : this.#stageMs;
  }

  /** Returns the page's time at which a running clock shows this time of the stage. */
  pageMsOf(stageMs: number): number {
    return this.#pageMs + (stageMs - this.#stageMs) / this.#rate;
  }

  run(pageMs: number, running: boolean): void {
    this.#fix(pageMs);
    this.#running = running;
  }

  setRate(pageMs: number, rate: number): void {
    this.#fix(pageMs);
    this.#rate = rate;
  }

  seek(pageMs: number, stageMs: number): void {
    this.#pageMs = pageMs;
    this.#stageMs = stageMs;
  }

  #fix(pageMs: number): void {
    this.#stageMs = this.at(pageMs);
    this.#pageMs = pageMs;
  }
}

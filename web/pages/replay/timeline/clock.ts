// The clock of a replay: a video, or a plain clock where there is none.

export interface Clock {
  readonly positionMs: number;
  readonly playing: boolean;
  /** End of the video; 0 where it is not known. */
  readonly endMs: number;
  play: () => void;
  pause: () => void;
  seek: (ms: number) => void;
  setRate: (rate: number) => void;
}

/** A clock that runs by the page's time. */
export class PlainClock implements Clock {
  readonly endMs = 0;
  #positionMs = 0;
  #rate = 1;
  /** Time at which the position was right, while the clock runs. */
  #sinceMs: number | null = null;

  constructor(private readonly nowMs: () => number) {}

  get playing(): boolean {
    return this.#sinceMs !== null;
  }

  get positionMs(): number {
    return this.#sinceMs === null ? this.#positionMs : this.#positionMs + (this.nowMs() - this.#sinceMs) * this.#rate;
  }

  play(): void {
    this.#sinceMs ??= this.nowMs();
  }

  pause(): void {
    this.#positionMs = this.positionMs;
    this.#sinceMs = null;
  }

  seek(ms: number): void {
    this.#positionMs = ms;
    if (this.#sinceMs !== null) this.#sinceMs = this.nowMs();
  }

  setRate(rate: number): void {
    this.seek(this.positionMs);
    this.#rate = rate;
  }
}

/** The clock of a video element. */
export class VideoClock implements Clock {
  constructor(private readonly video: HTMLVideoElement) {}

  get positionMs(): number {
    return this.video.currentTime * 1_000;
  }

  get playing(): boolean {
    return !this.video.paused && !this.video.ended;
  }

  get endMs(): number {
    return Number.isFinite(this.video.duration) ? this.video.duration * 1_000 : 0;
  }

  play(): void {
    // A video that cannot play stays paused, and the page shows that.
    void this.video.play().catch(() => undefined);
  }

  pause(): void {
    this.video.pause();
  }

  seek(ms: number): void {
    this.video.currentTime = ms / 1_000;
  }

  setRate(rate: number): void {
    this.video.playbackRate = rate;
  }
}

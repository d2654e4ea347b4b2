// Bytes that come while their upload runs, such as a voice note that is being recorded.

export class Growing {
  #blob: Blob;
  #isWhole = false;
  #waiting: (() => void)[] = [];

  /** `type` is the media type of the bytes, such as that of a MediaRecorder. */
  constructor(type: string) {
    this.#blob = new Blob([], { type });
  }

  /** Bytes that have come. */
  get blob(): Blob {
    return this.#blob;
  }

  /** Whether no further byte comes. */
  get isWhole(): boolean {
    return this.#isWhole;
  }

  /** Adds bytes at the end. */
  push(bytes: Blob): void {
    if (!this.#isWhole) this.#become(new Blob([this.#blob, bytes], { type: this.#blob.type }), false);
  }

  /** Ends the bytes: the upload is whole with those that have come. */
  end(): void {
    this.#become(this.#blob, true);
  }

  /** Waits for further bytes or the end. */
  changed(): Promise<void> {
    return this.#isWhole ? Promise.resolve() : new Promise((resolve) => this.#waiting.push(resolve));
  }

  #become(blob: Blob, isWhole: boolean): void {
    this.#blob = blob;
    this.#isWhole = isWhole;
    for (const resolve of this.#waiting.splice(0)) resolve();
  }
}

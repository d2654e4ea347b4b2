// Size of the next piece. A piece with a checksum counts whole or not at all, so that a network that cuts gets small ones.

/** First piece, whose time says how fast the network is. */
const FIRST_BYTES = 256 << 10;
const BYTES_MIN = 64 << 10;
/** A piece that took less time is followed by one of twice its size. */
const QUICK_MS = 2_000;
/** Wait for an answer beside the time that the bytes take. */
const WAIT_MS = 30_000;
/** Slowest rate that the server bears, in bytes a second: `media.rate_bytes_per_s_min`. */
const RATE_MIN = 8_192;
/** How much slower than the last piece the next one may be. */
const SLACK = 4;

export class Pace {
  #bytes: number;
  /** Bytes a second of the last piece; 0 before the first. */
  #rate = 0;

  /** `bytesMax` returns the piece that the server or the network advises. */
  constructor(private readonly bytesMax: () => number) {
    this.#bytes = Math.min(FIRST_BYTES, bytesMax());
  }

  /** Bytes of the next piece. */
  get bytes(): number {
    return Math.min(this.#bytes, this.bytesMax());
  }

  /** Longest wait for the answer to the next piece. */
  get waitMs(): number {
    const rate = Math.max(this.#rate / SLACK, RATE_MIN);
    return WAIT_MS + (this.bytes / rate) * 1_000;
  }

  sent(bytes: number, ms: number): void {
    this.#rate = (bytes / Math.max(ms, 1)) * 1_000;
    if (ms < QUICK_MS) this.#bytes = Math.min(this.#bytes * 2, this.bytesMax());
  }

  failed(): void {
    this.#bytes = Math.max(this.#bytes / 2, BYTES_MIN);
  }
}

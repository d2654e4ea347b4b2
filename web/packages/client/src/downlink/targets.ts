// Endpoints of one transport, in turn.

import type { Endpoint, Transport } from './channel.ts';

/** Endpoints of one transport that a round tries. */
const ENDPOINTS_MAX = 2;
/** The second endpoint is tried only after a failure that came within this time. */
const QUICK_MS = 2_000;

export class Targets {
  #left: Endpoint[];
  #began = performance.now();

  /** `rotation` is the number of failed attempts before. */
  constructor(endpoints: readonly Endpoint[], transport: Transport, rotation: number) {
    const list = endpoints.filter((endpoint) => endpoint.transport === transport);
    const first = list.length === 0 ? 0 : rotation % list.length;
    this.#left = [...list.slice(first), ...list.slice(0, first)].slice(0, ENDPOINTS_MAX);
  }

  next(): Endpoint | null {
    const isQuick = performance.now() - this.#began < QUICK_MS;
    this.#began = performance.now();
    return isQuick ? (this.#left.shift() ?? null) : null;
  }
}

// Attempts beside the channel that carries: a move to another server, and a better transport.

import type { Hands } from './hands.ts';
import type { Endpoint } from './channel.ts';
import { failureOf, isNoRoom } from '../failure.ts';
import type { Reconnect } from '../protocol/frames.ts';

/** Longest wait before a move, whatever a server asks for. */
const MOVE_WAIT_MS_MAX = 120_000;

export class Moves {
  #move: number | undefined;
  #climbing: number | undefined;

  constructor(private readonly hands: Hands) {}

  /** Moves to another server: the old link serves until the new one has received its hello. */
  soon(reconnect: Reconnect): void {
    const { entry } = this.hands;
    clearTimeout(this.#move);
    entry.forget();
    const named = entry.read(reconnect.endpoints ?? []);
    const afterMs = Math.min(Math.max(reconnect.after_ms, 0), MOVE_WAIT_MS_MAX);
    this.#move = setTimeout(() => void this.#to(named, reconnect.message), afterMs);
  }

  /** Plans the next attempt on a better transport, as the ladder says. */
  climbLater(): void {
    clearTimeout(this.#climbing);
    const inMs = this.hands.link && !this.hands.next ? this.hands.dialer.probeInMs : null;
    if (inMs !== null) this.#climbing = setTimeout(() => void this.#climb(), inMs);
  }

  /** Forgets what is planned. */
  stop(): void {
    clearTimeout(this.#move);
    clearTimeout(this.#climbing);
  }

  async #to(named: Endpoint[], message: string): Promise<void> {
    const { hands } = this;
    const reason = { code: 'drain', message };
    try {
      // Without an endpoint this link serves until the server closes it; then the client reconnects.
      const endpoints = named.length > 0 ? named : await hands.endpoints(reason);
      // The token in use may still be good where the caller's function has none now.
      await hands.credentials.fetch().catch(() => undefined);
      if (!hands.link || hands.next?.kind === 'move') return;
      hands.next?.opening.cancel();
      hands.state({ kind: 'moving', transport: hands.link.transport }, reason);
      hands.next = { kind: 'move', opening: hands.dialer.open(endpoints, 0, hands.outcome) };
    } catch (error) {
      // The room is gone: the close that follows gives the reason.
      if (isNoRoom(failureOf(error).code)) hands.entry.forget();
    }
  }

  async #climb(): Promise<void> {
    const { hands } = this;
    const endpoints = await hands.entry.others();
    await hands.credentials.fetch().catch(() => undefined);
    if (!hands.link || hands.next) return;
    const opening = hands.dialer.probe(endpoints, hands.outcome);
    if (opening) hands.next = { kind: 'probe', opening };
  }
}

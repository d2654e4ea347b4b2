// The heartbeat of a room with its clocks, its timer and its storage. A room has one connection that
// carries; while it moves to another gateway, the heartbeat follows the one that has received its hello.

import { networkType } from '../facts.ts';
import type { Host } from '../host.ts';
import { type Action, Heartbeat, type Moment, type Terms } from './heartbeat.ts';
import { networkKey, NetworkMemory } from './network_limits.ts';

const STORED = 'barrage.heartbeat';

/** A connection that carries pings. */
export interface Beating {
  ping(id: number): void;
  /** Gives the connection up as dead. */
  abandon(): void;
}

/** Terms of the heartbeat, as hello and pong state them. */
export interface StatedTerms {
  ping_interval_ms?: number;
  ping_interval_ms_max?: number;
}

export class Keeper {
  #heartbeat: Heartbeat;
  #current: Beating | null = null;
  #timer: number | undefined;
  #timerAtMs = Infinity;
  #place: readonly string[] = [];
  #type: string;

  constructor(private readonly host: Host) {
    this.#type = networkType(host);
    const memory = NetworkMemory.read(host.recall('local', STORED), Math.floor(Date.now() / 1_000));
    this.#heartbeat = new Heartbeat(memory, this.#key(), moment());
  }

  /** Notes where entry saw this client: networks of another carrier have limits of their own. */
  placed(carrier: unknown, region: unknown): void {
    this.#place = [carrier, region].map((part) => (typeof part === 'string' ? part : ''));
    if (!this.#current) this.#heartbeat.networkChanged(moment(), this.#key());
  }

  /** Follows a connection that has received its hello; the one before is left. */
  attach(connection: Beating, stated: StatedTerms): void {
    this.#current = connection;
    this.#heartbeat.opened(moment(), termsOf(stated));
    // A loss may have become evidence.
    this.host.keep('local', STORED, this.#heartbeat.memory.toStored());
    this.#schedule();
  }

  /** Notes the end of a connection. */
  detach(connection: Beating, hasFailed: boolean): void {
    if (connection !== this.#current) return;
    this.#current = null;
    this.#heartbeat.closed(moment(), hasFailed);
    clearTimeout(this.#timer);
    this.#timerAtMs = Infinity;
  }

  received(connection: Beating): void {
    if (connection === this.#current) this.#heartbeat.received(moment());
  }

  sent(connection: Beating): void {
    if (connection === this.#current) this.#act(this.#heartbeat.sent(moment()));
  }

  pong(connection: Beating, pong: { id: number } & StatedTerms): void {
    if (connection !== this.#current) return;
    if (this.#heartbeat.pong(moment(), pong.id)) this.host.keep('local', STORED, this.#heartbeat.memory.toStored());
    if (pong.ping_interval_ms !== undefined) this.#heartbeat.setTerms(termsOf(pong));
    this.#schedule();
  }

  /** Examines the connection at once: the network has changed, or the page is back. */
  examine(): void {
    this.#type = networkType(this.host);
    this.#act(this.#heartbeat.networkChanged(moment(), this.#key()));
  }

  /** Examines a connection whose server has been silent, because the user sends something. */
  posted(): void {
    this.#act(this.#heartbeat.check(moment()));
  }

  /** Stops the timer. */
  close(): void {
    this.#current = null;
    clearTimeout(this.#timer);
  }

  #key(): string {
    return networkKey(this.#type, this.#place);
  }

  #act(action: Action): void {
    const current = this.#current;
    if (action.type === 'ping') current?.ping(action.id);
    if (action.type === 'dead') {
      this.#current = null;
      current?.abandon();
    }
    this.#schedule();
  }

  #schedule(): void {
    if (!this.#current || this.#heartbeat.wakeAtMs >= this.#timerAtMs) return;
    clearTimeout(this.#timer);
    this.#timerAtMs = this.#heartbeat.wakeAtMs;
    this.#timer = setTimeout(
      () => {
        this.#timerAtMs = Infinity;
        this.#act(this.#heartbeat.poll(moment()));
      },
      Math.max(this.#timerAtMs - performance.now(), 0),
    );
  }
}

function termsOf({ ping_interval_ms, ping_interval_ms_max }: StatedTerms): Terms {
  const intervalMs = Math.max(ping_interval_ms ?? 25_000, 1_000);
  if (ping_interval_ms_max === undefined) return { intervalMs, manner: { kind: 'fixed' } };
  return { intervalMs, manner: { kind: 'adaptive', maxMs: ping_interval_ms_max } };
}

/** Whole milliseconds of both clocks: what is learned is stored as integers. */
function moment(): Moment {
  return { steadyMs: Math.floor(performance.now()), wallMs: Date.now() };
}

// When a client pings, and when it gives a connection up: time goes in, pings and losses come out. The
// rules and constants are those of services/client/src/heartbeat; both pass the same vectors.

import { type Bounds, CEILING_MS, intervalOf, lost, type NetworkLimits, type NetworkMemory, survived } from './network_limits.ts';

/** Shortest fixed interval, whatever a server asks for. */
const FIXED_MS_MIN = 100;
/** Longest wait for a pong while nothing arrives. */
const PONG_WAIT_MS = 8_000;
/** Longest wait for a pong behind other frames, which show that the server's direction works. */
const PONG_WAIT_MS_MAX = 30_000;
/** Longest wait for a pong after a wake from sleep or a change of the network. */
const PROBE_WAIT_MS = 5_000;
/** Silence of the server from which a ping goes along with any frame of the client. */
const CHECK_AFTER_MS = 10_000;
/** Time without a frame of its own after which a client pings although the server sends. */
const QUIET_MS_MAX = 120_000;
/** Longest time between two polls, so that a wake from sleep is noticed. */
const WATCH_MS = 5_000;
/** Difference of the two clocks between two polls that shows a sleep of the machine. */
const SLEPT_MS = 10_000;
/** Time between two polls that shows a frozen page. Timers of a hidden page run once a minute. */
const FROZEN_MS = 90_000;
/** Longest time from a loss to the next hello for which the idle time counts as the cause. */
const BLAME_MS = 15_000;

/** A moment by both clocks: `performance.now()`, and Unix time, which may step in both directions. */
export interface Moment {
  steadyMs: number;
  wallMs: number;
}

/**
 * How a connection is kept alive: pings after idling up to `maxMs`, pings after the client's own silence,
 * or the server's frames alone.
 */
export type Manner = { kind: 'adaptive'; maxMs: number } | { kind: 'fixed' } | { kind: 'listening' };

export interface Terms {
  /** Interval that the server asks for. */
  intervalMs: number;
  manner: Manner;
}

/** What the client must do now. After `dead` it gives the connection up and reconnects. */
export type Action = { type: 'wait' } | { type: 'ping'; id: number } | { type: 'dead' };

const WAIT: Action = { type: 'wait' };
const DEAD: Action = { type: 'dead' };

interface AwaitedPong {
  id: number;
  pingedAtMs: number;
  deadlineMs: number;
  /** Idle time before the ping, as evidence about the network; null after a sleep or a change. */
  idleMs: number | null;
}

interface Open {
  terms: Terms;
  sentAtMs: number;
  receivedAtMs: number;
  awaited: AwaitedPong | null;
}

/** Heartbeat of one client over all its connections. */
export class Heartbeat {
  #limits: NetworkLimits;
  #open: Open | null = null;
  /** Loss whose cause is known once the next connection opens. */
  #suspect: { idleMs: number; lostAtMs: number } | null = null;
  #polledAt: Moment;
  #pings = 0;

  constructor(
    readonly memory: NetworkMemory,
    private network: string,
    now: Moment,
  ) {
    this.#limits = memory.of(network);
    this.#polledAt = now;
  }

  /** Current interval; 0 without a connection. */
  get intervalMs(): number {
    return this.#open ? this.#interval(this.#open.terms) : 0;
  }

  /** Takes a connection over that has received its hello. */
  opened(now: Moment, terms: Terms): void {
    const suspect = this.#suspect;
    this.#suspect = null;
    const bounds = boundsOf(terms);
    if (suspect && bounds && now.steadyMs - suspect.lostAtMs <= BLAME_MS) {
      lost(this.#limits, suspect.idleMs, bounds, unixS(now));
      this.memory.set(this.network, this.#limits);
    }
    this.#open = { terms, sentAtMs: now.steadyMs, receivedAtMs: now.steadyMs, awaited: null };
    this.#polledAt = now;
  }

  /** Notes the end of the connection. A failure before the pong counts as a silent loss. */
  closed(now: Moment, hasFailed: boolean): void {
    const idleMs = this.#open?.awaited?.idleMs ?? null;
    if (hasFailed && idleMs !== null) this.#suspect = { idleMs, lostAtMs: now.steadyMs };
    this.#open = null;
  }

  /** Notes that the client is in another network, or that its network came back. */
  networkChanged(now: Moment, network: string): Action {
    this.#suspect = null;
    if (network !== this.network) {
      this.#limits = this.memory.of(network);
      this.network = network;
    }
    return this.probe(now);
  }

  /** Sends a ping whose answer must come soon. An event stream carries no ping, so it is given up. */
  probe(now: Moment): Action {
    if (!this.#open) return WAIT;
    if (this.#open.terms.manner.kind !== 'listening') return this.#ping(this.#open, now, null, PROBE_WAIT_MS);
    this.#open = null;
    return DEAD;
  }

  /** Notes a frame of the client on this connection. Behind a silence of the server, a ping goes along. */
  sent(now: Moment): Action {
    const action = this.check(now);
    if (this.#open) this.#open.sentAtMs = now.steadyMs;
    return action;
  }

  /** Examines the connection if the server has been silent for ten seconds, because the user sends something. */
  check(now: Moment): Action {
    const open = this.#open;
    if (!open || open.awaited || open.terms.manner.kind === 'listening') return WAIT;
    if (now.steadyMs - open.receivedAtMs < CHECK_AFTER_MS) return WAIT;
    return this.#ping(open, now, idleMs(open, now), PONG_WAIT_MS);
  }

  /** Notes a frame of the server. It answers no ping, but it prolongs the wait for the pong. */
  received(now: Moment): void {
    if (!this.#open) return;
    this.#open.receivedAtMs = now.steadyMs;
    const { awaited } = this.#open;
    if (!awaited) return;
    const prolonged = Math.max(awaited.deadlineMs, now.steadyMs + PONG_WAIT_MS);
    awaited.deadlineMs = Math.min(prolonged, awaited.pingedAtMs + PONG_WAIT_MS_MAX);
  }

  /** Notes a pong. One of an earlier ping answers nothing. Returns whether the memory has changed. */
  pong(now: Moment, id: number): boolean {
    this.received(now);
    const open = this.#open;
    if (!open?.awaited || open.awaited.id !== id) return false;
    const { idleMs: idle } = open.awaited;
    open.awaited = null;
    const bounds = boundsOf(open.terms);
    if (idle === null || !bounds) return false;
    const { changed_at_s, proven_ms } = this.#limits;
    survived(this.#limits, idle, bounds, unixS(now));
    if (this.#limits.changed_at_s === changed_at_s && this.#limits.proven_ms === proven_ms) return false;
    this.memory.set(this.network, this.#limits);
    return true;
  }

  /** Takes new terms, which a pong may carry. */
  setTerms(terms: Terms): void {
    if (this.#open) this.#open.terms = terms;
  }

  /** Decides what is due now. */
  poll(now: Moment): Action {
    const slept = this.#hasSlept(now);
    this.#polledAt = now;
    const open = this.#open;
    if (!open) return WAIT;
    if (slept) return this.probe(now);
    if (open.awaited) return now.steadyMs >= open.awaited.deadlineMs ? this.#dead(now, open.awaited) : WAIT;
    if (now.steadyMs < this.#dueMs(open)) return WAIT;
    if (open.terms.manner.kind === 'listening') {
      this.#open = null;
      return DEAD;
    }
    const waitMs = Math.min(PONG_WAIT_MS, Math.floor(this.#interval(open.terms) / 2));
    return this.#ping(open, now, idleMs(open, now), waitMs);
  }

  /** Time of the next poll, in `performance.now()`. */
  get wakeAtMs(): number {
    const watchMs = this.#polledAt.steadyMs + WATCH_MS;
    if (!this.#open) return watchMs;
    return Math.min(this.#open.awaited?.deadlineMs ?? this.#dueMs(this.#open), watchMs);
  }

  #interval(terms: Terms): number {
    const bounds = boundsOf(terms);
    if (bounds) return intervalOf(this.#limits, bounds);
    return Math.min(Math.max(terms.intervalMs, FIXED_MS_MIN), CEILING_MS);
  }

  /** Time of the next ping; for an event stream, the time at which it counts as dead. */
  #dueMs(open: Open): number {
    const intervalMs = this.#interval(open.terms);
    switch (open.terms.manner.kind) {
      case 'adaptive': {
        const quietMs = Math.max(QUIET_MS_MAX, intervalMs + PONG_WAIT_MS);
        return Math.min(Math.max(open.sentAtMs, open.receivedAtMs) + intervalMs, open.sentAtMs + quietMs);
      }
      case 'fixed':
        return open.sentAtMs + intervalMs;
      case 'listening':
        return open.receivedAtMs + Math.floor(intervalMs / 2) * 3;
    }
  }

  #hasSlept(now: Moment): boolean {
    const steadyMs = Math.max(now.steadyMs - this.#polledAt.steadyMs, 0);
    const wallMs = Math.max(now.wallMs - this.#polledAt.wallMs, 0);
    return wallMs - steadyMs > SLEPT_MS || steadyMs > FROZEN_MS;
  }

  #ping(open: Open, now: Moment, idle: number | null, waitMs: number): Action {
    this.#pings += 1;
    open.sentAtMs = now.steadyMs;
    const deadlineMs = now.steadyMs + waitMs;
    open.awaited = { id: this.#pings, pingedAtMs: now.steadyMs, deadlineMs, idleMs: idle };
    return { type: 'ping', id: this.#pings };
  }

  #dead(now: Moment, awaited: AwaitedPong): Action {
    this.#open = null;
    this.#suspect = awaited.idleMs === null ? null : { idleMs: awaited.idleMs, lostAtMs: now.steadyMs };
    return DEAD;
  }
}

/** Bounds of the search; null where the interval is fixed. */
function boundsOf(terms: Terms): Bounds | null {
  return terms.manner.kind === 'adaptive' ? { startMs: terms.intervalMs, maxMs: terms.manner.maxMs } : null;
}

function idleMs(open: Open, now: Moment): number {
  return now.steadyMs - Math.max(open.sentAtMs, open.receivedAtMs);
}

function unixS(now: Moment): number {
  return Math.floor(now.wallMs / 1_000);
}

// Ladder of transports: which one to open, when to step down, and when to try a better one again.
// Pure: events with their times come in, actions go out; the caller owns sockets, clock and chance.
// The Rust client has the same state machine (services/client/src/ladder), and both pass the vectors
// in services/client/vectors. docs/guide/channel.md explains the rules.

export type LadderEvent<R> =
  /** The caller wants a connection; one may still carry. Only offered rungs are opened. */
  | { type: 'connect'; offered: readonly R[] }
  /** The server answered on this rung. */
  | { type: 'opened'; rung: R }
  /** `blocked`: no answer of a Barrage server came. `refused`: a server refused, on any rung. */
  | { type: 'failed'; rung: R; cause: 'blocked' | 'refused' }
  /** `lost`: cut or silent. `closed`: ended by the server with a reason, or by the caller. */
  | { type: 'ended'; cause: 'lost' | 'closed' }
  /** The time of `dueMs` has come. */
  | { type: 'tick' }
  /** The machine is on another network: all observations are void. */
  | { type: 'network_changed' };

export type LadderAction<R> =
  | { type: 'open'; rung: R }
  /** Open a better rung beside the one that carries, and resume there. */
  | { type: 'probe'; rung: R }
  /** Use the connection that was just opened, and leave the one before. */
  | { type: 'use'; rung: R }
  /** Drop the attempt or the connection on this rung. */
  | { type: 'abandon'; rung: R }
  /** No rung was opened: wait with backoff, then connect again. */
  | { type: 'give_up' };

export interface LadderLimits {
  /** Life of a connection after which its rung counts as working. */
  stable_ms: number;
  /** Connections in a row that may be lost before `stable_ms`, until a connect begins on a lower rung. */
  early_ends_max: number;
  /** Ceiling of the wait before the first probe; it doubles with each blockage. */
  probe_base_ms: number;
  probe_max_ms: number;
}

export const LADDER_LIMITS: LadderLimits = {
  stable_ms: 60_000,
  early_ends_max: 3,
  probe_base_ms: 15_000,
  probe_max_ms: 600_000,
};

const DOUBLINGS_MAX = 16;

interface Observed {
  /** Blockages in a row; 0 for a rung that has carried for `stable_ms`. */
  failures: number;
  /** Connections in a row that were lost before `stable_ms`. */
  earlyEnds: number;
  /** Time until which the rung is tried last, and not probed. */
  blockedUntilMs: number;
}

const nothing = (): Observed => ({ failures: 0, earlyEnds: 0, blockedUntilMs: 0 });

export class Ladder<R extends string> {
  #observed = new Map<R, Observed>();
  /** Rungs that the last connect offered, best first. */
  #offered: R[] = [];
  /** Rung that is being opened in this round. */
  #opening: R | null = null;
  /** Rungs that were blocked in this round. */
  #blocked: R[] = [];
  #probing: R | null = null;
  #carrying: { rung: R; sinceMs: number } | null = null;

  /** Creates a ladder of these rungs, best first. */
  constructor(
    private readonly rungs: readonly R[],
    private readonly limits: LadderLimits = LADDER_LIMITS,
  ) {}

  /** Returns a copy for a round beside others; its events are then replayed here. */
  clone(): Ladder<R> {
    const copy = new Ladder(this.rungs, this.limits);
    copy.#observed = new Map([...this.#observed].map(([rung, observed]) => [rung, { ...observed }]));
    copy.#offered = [...this.#offered];
    copy.#opening = this.#opening;
    copy.#blocked = [...this.#blocked];
    copy.#probing = this.#probing;
    copy.#carrying = this.#carrying && { ...this.#carrying };
    return copy;
  }

  /** Rung that carries; null when none does. */
  get carrying(): R | null {
    return this.#carrying?.rung ?? null;
  }

  /** Time at which the caller sends a tick; null when no probe is planned. */
  get dueMs(): number | null {
    if (this.#probing !== null || this.#opening !== null) return null;
    const times = this.#better().map((rung) => this.#of(rung).blockedUntilMs);
    return times.length > 0 ? Math.min(...times) : null;
  }

  /**
   * Takes an event at this time, with a random number from 0 to 1, and returns the actions. An event
   * about a rung that no action named is ignored, but for a connection, which is abandoned.
   */
  step(atMs: number, chance: number, event: LadderEvent<R>): LadderAction<R>[] {
    this.#settle(atMs);
    switch (event.type) {
      case 'connect':
        return this.#connect(atMs, event.offered);
      case 'opened':
        return this.#opened(atMs, chance, event.rung);
      case 'failed':
        return this.#failed(atMs, chance, event.rung, event.cause);
      case 'ended':
        return this.#ended(atMs, chance, event.cause);
      case 'tick':
        return this.#tick(atMs);
      case 'network_changed':
        this.#observed.clear();
        return [];
    }
  }

  #connect(atMs: number, offered: readonly R[]): LadderAction<R>[] {
    const actions = this.#dropProbe();
    this.#offered = this.rungs.filter((rung) => offered.includes(rung));
    this.#blocked = [];
    return [...actions, this.#openNext(atMs)];
  }

  /** Opens the best rung that was not tried in this round. Rungs that are known as blocked come last. */
  #openNext(atMs: number): LadderAction<R> {
    const untried = this.#offered.filter((rung) => !this.#blocked.includes(rung));
    const free = untried.find((rung) => this.#of(rung).blockedUntilMs <= atMs);
    this.#opening = free ?? untried[0] ?? null;
    return this.#opening === null ? { type: 'give_up' } : { type: 'open', rung: this.#opening };
  }

  #opened(atMs: number, chance: number, rung: R): LadderAction<R>[] {
    if (this.#opening === rung) this.#reached(atMs, chance, rung);
    else if (this.#probing === rung) this.#probing = null;
    else return this.rungs.includes(rung) ? [{ type: 'abandon', rung }] : [];
    // A rung that goes on carrying over a move keeps its age.
    if (this.#carrying?.rung !== rung) this.#carrying = { rung, sinceMs: atMs };
    return [{ type: 'use', rung }];
  }

  #failed(atMs: number, chance: number, rung: R, cause: 'blocked' | 'refused'): LadderAction<R>[] {
    if (this.#opening === rung) {
      if (cause === 'blocked') {
        this.#blocked.push(rung);
        return [this.#openNext(atMs)];
      }
      this.#reached(atMs, chance, rung);
      return [{ type: 'give_up' }];
    }
    if (this.#probing === rung) {
      this.#probing = null;
      // After a refusal the network passes this rung: the server is busy, and the probe waits as before.
      if (cause === 'blocked') this.#block(atMs, chance, rung);
      else this.#postpone(atMs, chance, this.#of(rung));
    }
    return [];
  }

  #ended(atMs: number, chance: number, cause: 'lost' | 'closed'): LadderAction<R>[] {
    const actions = this.#dropProbe();
    const carried = this.#carrying;
    this.#carrying = null;
    if (!carried || cause === 'closed' || atMs - carried.sinceMs >= this.limits.stable_ms) return actions;
    const place = this.rungs.indexOf(carried.rung);
    if (!this.#offered.some((other) => this.rungs.indexOf(other) > place)) return actions;
    const observed = this.#of(carried.rung);
    observed.earlyEnds += 1;
    // A rung that was blocked before is on trial: it gets one connection.
    if (observed.failures > 0 || observed.earlyEnds >= this.limits.early_ends_max) {
      this.#block(atMs, chance, carried.rung);
    }
    return actions;
  }

  #tick(atMs: number): LadderAction<R>[] {
    const due = this.dueMs;
    if (due === null || due > atMs) return [];
    const rung = this.#better().find((better) => this.#of(better).blockedUntilMs <= atMs);
    this.#probing = rung ?? null;
    return rung === undefined ? [] : [{ type: 'probe', rung }];
  }

  /**
   * The server was reached on this rung: the better rungs of this round are blocked by the network, but
   * for one that carries meanwhile. A round in which no rung reached the server shows nothing.
   */
  #reached(atMs: number, chance: number, rung: R): void {
    this.#opening = null;
    const place = this.rungs.indexOf(rung);
    for (const better of this.#blocked) {
      if (this.rungs.indexOf(better) < place && this.#carrying?.rung !== better) this.#block(atMs, chance, better);
    }
    this.#blocked = [];
  }

  /** Counts a blockage, and plans the next probe of the rung. */
  #block(atMs: number, chance: number, rung: R): void {
    const observed = this.#of(rung);
    observed.failures += 1;
    observed.earlyEnds = 0;
    this.#postpone(atMs, chance, observed);
  }

  /** The wait is half of its ceiling and a random part of the other half. */
  #postpone(atMs: number, chance: number, observed: Observed): void {
    const doublings = Math.min(Math.max(observed.failures - 1, 0), DOUBLINGS_MAX);
    const { probe_base_ms, probe_max_ms } = this.limits;
    const half = Math.max(Math.min(probe_base_ms * 2 ** doublings, probe_max_ms), 1) / 2;
    observed.blockedUntilMs = atMs + Math.floor(half + half * Math.min(Math.max(chance, 0), 1));
  }

  /** Clears what counted against a rung that has carried for long enough. */
  #settle(atMs: number): void {
    const carried = this.#carrying;
    if (carried && atMs - carried.sinceMs >= this.limits.stable_ms) this.#observed.delete(carried.rung);
  }

  #dropProbe(): LadderAction<R>[] {
    const rung = this.#probing;
    this.#probing = null;
    return rung === null ? [] : [{ type: 'abandon', rung }];
  }

  /** Offered rungs that are better than the one that carries, best first. */
  #better(): R[] {
    const place = this.#carrying === null ? 0 : this.rungs.indexOf(this.#carrying.rung);
    return this.#offered.filter((rung) => this.rungs.indexOf(rung) < place);
  }

  #of(rung: R): Observed {
    let observed = this.#observed.get(rung);
    if (!observed) {
      observed = nothing();
      this.#observed.set(rung, observed);
    }
    return observed;
  }
}

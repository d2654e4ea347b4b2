// The ladder of transports with the channels over HTTP. It is loaded when a WebSocket fails for the first
// time: most clients never need it.

import { type Channel, type Dial, type Endpoint, type Transport, TRANSPORTS } from './channel.ts';
import { EventStream } from './event_stream.ts';
import { Ladder, type LadderEvent } from '../ladder/ladder.ts';
import { LongPoll } from './long_poll.ts';
import type { Plan } from './opening.ts';
import { ladderNow, Round } from '../ladder/round.ts';
import { Targets } from './targets.ts';

/** Event of the ladder with its time. */
export interface Noted {
  atMs: number;
  event: LadderEvent<Transport>;
}

export class Rungs {
  #ladder = new Ladder<Transport>(TRANSPORTS);

  /** Takes what happened before this was loaded. */
  constructor(before: readonly Noted[]) {
    for (const { atMs, event } of before) this.#ladder.step(atMs, Math.random(), event);
  }

  note({ atMs, event }: Noted): void {
    this.#ladder.step(atMs, Math.random(), event);
  }

  /** Returns a round over the transports. Behind `failed` the round goes on below this transport. */
  plan(endpoints: readonly Endpoint[], rotation: number, failed: Transport | null): Plan {
    return new ConnectPlan(new Round(this.#ladder), endpoints, rotation, failed);
  }

  /** Returns the attempt of a better transport, if the ladder plans one now. */
  probe(endpoints: readonly Endpoint[]): Plan | null {
    const [action] = this.#ladder.step(ladderNow(), Math.random(), { type: 'tick' });
    return action?.type === 'probe' ? new ProbePlan(this.#ladder, action.rung, endpoints) : null;
  }

  /** Milliseconds until a probe is due; null when none is planned. */
  get probeInMs(): number | null {
    const due = this.#ladder.dueMs;
    return due === null ? null : Math.max(due - ladderNow(), 0);
  }

  dial(transport: Exclude<Transport, 'ws'>, dial: Dial): Channel {
    return transport === 'sse' ? new EventStream(dial) : new LongPoll(dial);
  }
}

class ConnectPlan implements Plan {
  #rung: Transport | null = null;
  #targets: Targets | null = null;

  constructor(
    private readonly round: Round<Transport>,
    private readonly endpoints: readonly Endpoint[],
    private readonly rotation: number,
    private readonly before: Transport | null,
  ) {}

  first(): Endpoint | null {
    const rung = this.round.connect([...new Set(this.endpoints.map((endpoint) => endpoint.transport))]);
    return this.#on(rung !== null && rung === this.before ? this.round.blocked(rung) : rung);
  }

  failed(cause: 'blocked' | 'refused'): Endpoint | null {
    // A page cannot see why a WebSocket was refused, so a refusal elsewhere shows nothing about it.
    if (cause === 'refused' || this.#rung === null) return null;
    return this.#targets?.next() ?? this.#on(this.round.blocked(this.#rung));
  }

  opened(): void {
    if (this.#rung) this.round.reached(this.#rung, 'opened');
  }

  #on(rung: Transport | null): Endpoint | null {
    this.#rung = rung;
    if (rung === null) return null;
    this.#targets = new Targets(this.endpoints, rung, this.rotation);
    return this.#targets.next();
  }
}

class ProbePlan implements Plan {
  #targets: Targets;

  constructor(
    private readonly ladder: Ladder<Transport>,
    private readonly rung: Transport,
    endpoints: readonly Endpoint[],
  ) {
    this.#targets = new Targets(endpoints, rung, 0);
  }

  first(): Endpoint | null {
    const target = this.#targets.next();
    // Without an endpoint nothing shows whether the network passes this transport.
    if (!target) this.failed('refused');
    return target;
  }

  failed(cause: 'blocked' | 'refused'): Endpoint | null {
    const target = cause === 'blocked' ? this.#targets.next() : null;
    if (!target) this.ladder.step(ladderNow(), Math.random(), { type: 'failed', rung: this.rung, cause });
    return target;
  }

  opened(): void {
    this.ladder.step(ladderNow(), Math.random(), { type: 'opened', rung: this.rung });
  }
}

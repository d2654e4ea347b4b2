// Opens channels as the ladder says: a round over the transports for a connect or a move, and one
// transport beside the channel that carries for a probe.

import { type Dial, type Endpoint, type Join, type Transport, TRANSPORTS } from './channel.ts';
import { Ladder } from '../ladder/ladder.ts';
import { type Keeper } from '../heartbeat/keeper.ts';
import { type Host } from '../host.ts';
import { Link } from './link.ts';
import { Loaded } from './loaded.ts';
import { Opening, type Outcome, type Plan } from './opening.ts';
import { ladderNow, Round } from '../ladder/round.ts';

/** Endpoints of one transport that a round tries. */
const ENDPOINTS_MAX = 2;
/** The second endpoint is tried only after a failure that came within this time. */
const QUICK_MS = 2_000;

export class Dialer {
  #ladder = new Ladder<Transport>(TRANSPORTS);

  constructor(
    private readonly host: Host,
    private readonly keeper: Keeper,
    private readonly join: () => Join,
  ) {}

  /** Opens a channel to one of the endpoints. `rotation` is the number of failed attempts before. */
  open(endpoints: readonly Endpoint[], rotation: number, outcome: Outcome): Opening {
    return this.#begin(new ConnectPlan(new Round(this.#ladder), endpoints, rotation), outcome);
  }

  /** Milliseconds until a probe is due; null when none is planned. */
  get probeInMs(): number | null {
    const due = this.#ladder.dueMs;
    return due === null ? null : Math.max(due - ladderNow(), 0);
  }

  /** Opens a better transport, if the ladder plans one now. */
  probe(endpoints: readonly Endpoint[], outcome: Outcome): Opening | null {
    const [action] = this.#ladder.step(ladderNow(), Math.random(), { type: 'tick' });
    if (action?.type !== 'probe') return null;
    return this.#begin(new ProbePlan(this.#ladder, action.rung, endpoints), outcome);
  }

  /** Reports the end of the channel that carried. */
  ended(cause: 'lost' | 'closed'): void {
    this.#ladder.step(ladderNow(), Math.random(), { type: 'ended', cause });
  }

  networkChanged(): void {
    this.#ladder.step(ladderNow(), Math.random(), { type: 'network_changed' });
  }

  #begin(plan: Plan, outcome: Outcome): Opening {
    const { host, keeper } = this;
    const dial = ({ transport, url }: Endpoint, events: Dial['events']) => {
      const all = { host, keeper, url, join: this.join(), events };
      return transport === 'ws' ? new Link(all) : new Loaded(transport, all);
    };
    const opening = new Opening(plan, dial, outcome);
    opening.start();
    return opening;
  }
}

/** Endpoints of one transport, in turn. */
class Targets {
  #left: Endpoint[];
  #began = performance.now();

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

class ConnectPlan implements Plan {
  #rung: Transport | null = null;
  #targets: Targets | null = null;

  constructor(
    private readonly round: Round<Transport>,
    private readonly endpoints: readonly Endpoint[],
    private readonly rotation: number,
  ) {}

  first(): Endpoint | null {
    return this.#on(this.round.connect([...new Set(this.endpoints.map((endpoint) => endpoint.transport))]));
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

// Opens channels: WebSockets first, and, from the first failure of one on, as the ladder of transports says.

import type { Dial, Endpoint, Join } from './channel.ts';
import type { Heart } from '../heartbeat/heart.ts';
import type { Host } from '../host.ts';
import { Link } from './link.ts';
import { Opening, type Outcome, type Plan } from './opening.ts';
import type { Noted, Rungs } from './rungs.ts';
import { Targets } from './targets.ts';

/** Events to keep for a ladder that is not loaded yet. Older ones change nothing in it. */
const NOTED_MAX = 32;

export class Dialer {
  #rungs: Rungs | null = null;
  #noted: Noted[] = [];

  constructor(
    private readonly host: Host,
    private readonly heart: Heart,
    private readonly join: () => Join,
  ) {}

  /** Opens a channel to one of the endpoints. `rotation` is the number of failed attempts before. */
  open(endpoints: readonly Endpoint[], rotation: number, outcome: Outcome): Opening {
    const plan = this.#rungs?.plan(endpoints, rotation, null) ?? new FirstPlan(this, endpoints, rotation);
    return this.#begin(plan, outcome);
  }

  /** Milliseconds until a probe is due; null when none is planned. */
  get probeInMs(): number | null {
    return this.#rungs?.probeInMs ?? null;
  }

  /** Opens a better transport, if the ladder plans one now. */
  probe(endpoints: readonly Endpoint[], outcome: Outcome): Opening | null {
    const plan = this.#rungs?.probe(endpoints);
    return plan ? this.#begin(plan, outcome) : null;
  }

  /** Reports the end of the channel that carried. */
  ended(cause: 'lost' | 'closed'): void {
    this.note({ type: 'ended', cause });
    // The ladder counts connections that do not last.
    if (cause === 'lost') this.rungs().catch(() => undefined);
  }

  networkChanged(): void {
    this.note({ type: 'network_changed' });
  }

  note(event: Noted['event']): void {
    const noted = { atMs: Math.floor(performance.now()), event };
    if (this.#rungs) this.#rungs.note(noted);
    else this.#noted = [...this.#noted, noted].slice(-NOTED_MAX);
  }

  /** Loads the ladder. */
  async rungs(): Promise<Rungs> {
    const { Rungs } = await import('./rungs.ts');
    this.#rungs ??= new Rungs(this.#noted);
    this.#noted = [];
    return this.#rungs;
  }

  #begin(plan: Plan, outcome: Outcome): Opening {
    const { host, heart } = this;
    const dial = ({ transport, url }: Endpoint, events: Dial['events']) => {
      const all = { host, heart, url, join: this.join, events };
      if (transport === 'ws') return new Link(all);
      // Plans without the ladder name WebSockets alone.
      return this.#rungs!.dial(transport, all);
    };
    const opening = new Opening(plan, dial, outcome);
    void opening.start();
    return opening;
  }
}

/** Tries WebSockets; where none opens, loads the ladder and goes on below them. */
class FirstPlan implements Plan {
  #targets: Targets;
  #next: Plan | null = null;

  constructor(
    private readonly dialer: Dialer,
    private readonly endpoints: readonly Endpoint[],
    private readonly rotation: number,
  ) {
    this.#targets = new Targets(endpoints, 'ws', rotation);
  }

  first(): Endpoint | null | Promise<Endpoint | null> {
    return this.#targets.next() ?? this.#below();
  }

  failed(cause: 'blocked' | 'refused'): Endpoint | null | Promise<Endpoint | null> {
    if (this.#next) return this.#next.failed(cause);
    return cause === 'refused' ? null : this.first();
  }

  opened(): void {
    if (this.#next) return this.#next.opened();
    this.dialer.note({ type: 'connect', offered: [...new Set(this.endpoints.map((endpoint) => endpoint.transport))] });
    this.dialer.note({ type: 'opened', rung: 'ws' });
  }

  async #below(): Promise<Endpoint | null> {
    const rungs = await this.dialer.rungs();
    this.#next = rungs.plan(this.endpoints, this.rotation, 'ws');
    return this.#next.first();
  }
}

// The answer of GET /v1/admin/overview, and figures that follow from it.

export interface Load {
  connections: number;
  connections_max: number;
  rooms: number;
  joins_per_s: number;
  deliveries_per_s: number;
  egress_bytes_per_s: number;
  backlog_bytes: number;
  cpu_cores: number;
  memory_bytes: number;
  lag_ms: number;
  push_p99_ms: number;
  overload_level: number;
}

export interface ProcessState {
  version: string;
  revision: string;
  not_ready?: string;
  breakers: Record<string, string>;
  joins_refused: Record<string, number>;
  turned_away: number;
  conservation_errors: Record<string, number>;
}

export interface Scaling {
  replicas: number;
  wanted: number;
  serving: number;
  arriving: number;
  draining: number;
  silent: number;
  viewers: number;
  forecast_viewers: number;
  panic: boolean;
  constraints: string[];
}

export interface Instance {
  role: 'gateway' | 'uplink' | 'entry' | 'autoscaler';
  id: string;
  age_secs: number;
  draining: boolean;
  conservation_error: number;
  load: Load;
  report_age_ms: number;
  process: number;
  weight?: number;
  state?: ProcessState;
  scaling?: Scaling;
}

export interface Room {
  room: string;
  heat: string;
  viewers: number;
  gateways: number;
  offered_per_s: number;
  shown_per_s: number;
  deliveries_per_s: number;
  shown_per_s_max: number;
}

export interface Switch {
  name: string;
  value: boolean | string;
  values: string;
  meaning: string;
}

export interface Overview {
  at_ms: number;
  instances: Instance[];
  entry?: { waiting: number; granted_per_s: number };
  blind: boolean;
  rooms: Room[];
  rooms_total: number;
  prewarms: { name: string; start_secs: number; duration_secs: number; viewers: number }[];
  switches: Switch[];
  not_asked: { role: string; id: string; why: string }[];
}

/** Figures that answer whether viewers are well. */
export interface Vitals {
  viewers: number;
  joinsPerS: number;
  pushP99Ms: number;
  /** Gateway with the highest push p99; null without a gateway. */
  slowest: string | null;
  /** Joins refused and newcomers turned away per second; null before the second answer. */
  refusedPerS: number | null;
  waiting: number;
  conservationError: number;
  stages: string[];
  breakersOpen: string[];
  breakersTotal: number;
  deliveriesPerS: number;
  egressBytesPerS: number;
}

export function ofRole(overview: Overview, role: Instance['role']): Instance[] {
  return overview.instances.filter((instance) => instance.role === role);
}

/** Returns one instance of each process: instances of a process have the same state. */
export function processes(overview: Overview): Instance[] {
  const seen = new Set<number>();
  return overview.instances.filter((instance) => {
    if (!instance.state || seen.has(instance.process)) return false;
    seen.add(instance.process);
    return true;
  });
}

function sum(values: number[]): number {
  return values.reduce((total, value) => total + value, 0);
}

function refused(state: ProcessState): number {
  return sum(Object.values(state.joins_refused)) + state.turned_away;
}

/** Returns the increase of refused joins per second. A process that started again counts from 0. */
function refusedPerS(now: Overview, before: Overview | null): number | null {
  if (!before || now.at_ms <= before.at_ms) return null;
  const earlier = new Map(processes(before).map((one) => [`${one.role} ${one.id}`, refused(one.state as ProcessState)]));
  const increase = processes(now).map((one) => {
    const [total, known] = [refused(one.state as ProcessState), earlier.get(`${one.role} ${one.id}`)];
    if (known === undefined) return 0;
    return total >= known ? total - known : total;
  });
  return (sum(increase) * 1_000) / (now.at_ms - before.at_ms);
}

export function vitals(now: Overview, before: Overview | null): Vitals {
  const gateways = ofRole(now, 'gateway');
  const slowest = gateways.reduce<Instance | null>((worst, one) => (!worst || one.load.push_p99_ms > worst.load.push_p99_ms ? one : worst), null);
  const breakers = processes(now).flatMap((one) => Object.entries(one.state?.breakers ?? {}).map(([name, state]) => ({ name, state, id: one.id })));
  const stages = processes(now).flatMap((one) => Object.entries(one.state?.conservation_errors ?? {}).map(([stage, count]) => `${one.id} ${stage} ${count}`));
  return {
    viewers: sum(gateways.map((one) => one.load.connections)),
    joinsPerS: sum(gateways.map((one) => one.load.joins_per_s)),
    pushP99Ms: slowest?.load.push_p99_ms ?? 0,
    slowest: slowest?.id ?? null,
    refusedPerS: refusedPerS(now, before),
    waiting: now.entry?.waiting ?? 0,
    conservationError: sum(now.instances.map((one) => one.conservation_error)),
    stages,
    breakersOpen: breakers.filter((one) => one.state !== 'closed').map((one) => `${one.id} ${one.name}`),
    breakersTotal: breakers.length,
    deliveriesPerS: sum(gateways.map((one) => one.load.deliveries_per_s)),
    egressBytesPerS: sum(gateways.map((one) => one.load.egress_bytes_per_s)),
  };
}

/** Returns the share of a gateway's places that are taken, from 0 to 1. */
export function fullness(instance: Instance): number {
  return instance.load.connections_max > 0 ? instance.load.connections / instance.load.connections_max : 0;
}

/** Returns an uplink that answers admin calls, or null. */
export function anUplink(overview: Overview): Instance | null {
  const uplinks = ofRole(overview, 'uplink');
  const asked = uplinks.filter((one) => one.state && !one.draining);
  return asked[0] ?? uplinks[0] ?? null;
}

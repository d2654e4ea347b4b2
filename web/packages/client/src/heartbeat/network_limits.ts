// Search for the longest idle time that a network bears, and the memory of the results by network. The
// rules and constants are those of services/client/src/heartbeat; both pass the same vectors.

/** Shortest interval of an adaptive heartbeat, whatever a server asks for. */
const FLOOR_MS = 10_000;
/** Longest interval of a heartbeat, whatever a server allows. */
export const CEILING_MS = 30 * 60_000;
/** Idle times of the whole interval that a network must bear before the interval counts as proven. */
const CONFIRMATIONS = 3;
/** Distance of the proven interval from the lost one at which the search ends, at least. */
const RESOLUTION_MS = 5_000;
/** Wait after a loss before a longer interval is tried again; four times as long after each further loss. */
const RETRY_S = 30 * 60;
const RETRY_S_MAX = 24 * 3_600;
/** Networks kept. Beyond, the one that changed longest ago is forgotten. */
const NETWORKS_MAX = 32;
/** Age from which the limits of a network are forgotten: 30 days. */
const KEEP_S = 30 * 24 * 3_600;
const STORED_CHARS_MAX = 64 * 1024;
const KEY_CHARS_MAX = 80;

/** Bounds within which the search stays: the interval of an unknown network, and the longest one. */
export interface Bounds {
  startMs: number;
  maxMs: number;
}

/** Idle times that one network bore and did not bear, as they are stored. */
export interface NetworkLimits {
  /** Interval in use; 0 for a network of which nothing is known. */
  interval_ms: number;
  /** Longest interval that the network bore three times; 0 before. */
  proven_ms: number;
  /** Shortest idle time after which a connection was lost; 0 for none. */
  lost_ms: number;
  lost_at_s: number;
  /** Losses above the proven interval since the search last succeeded. */
  losses: number;
  /** Idle times of the interval that the network bore in a row. */
  survived: number;
  /** Whether the proven interval was lost once. A second loss in a row lowers it. */
  is_doubted: boolean;
  /** Time of the last change, by which the memory forgets. */
  changed_at_s: number;
}

export function noLimits(): NetworkLimits {
  return {
    interval_ms: 0,
    proven_ms: 0,
    lost_ms: 0,
    lost_at_s: 0,
    losses: 0,
    survived: 0,
    is_doubted: false,
    changed_at_s: 0,
  };
}

function bounded(intervalMs: number, bounds: Bounds): number {
  const maxMs = Math.min(Math.max(bounds.maxMs, FLOOR_MS), CEILING_MS);
  return Math.min(Math.max(intervalMs, FLOOR_MS), maxMs);
}

/** Returns the interval to use, within the bounds of server and client. */
export function intervalOf(limits: NetworkLimits, bounds: Bounds): number {
  return bounded(limits.interval_ms === 0 ? bounds.startMs : limits.interval_ms, bounds);
}

/** Notes an idle time at whose end the server still answered. Shorter ones than the interval prove nothing. */
export function survived(limits: NetworkLimits, idleMs: number, bounds: Bounds, nowS: number): void {
  const interval = intervalOf(limits, bounds);
  if (idleMs < interval) return;
  limits.survived += 1;
  if (limits.survived < CONFIRMATIONS) return;
  limits.survived = 0;
  limits.is_doubted = false;
  limits.proven_ms = Math.max(limits.proven_ms, interval);
  if (limits.lost_ms !== 0 && limits.proven_ms >= limits.lost_ms) {
    // The loss had another cause.
    limits.lost_ms = 0;
    limits.losses = 0;
  }
  limits.interval_ms = bounded(next(limits, nowS), bounds);
  limits.changed_at_s = nowS;
}

/** Notes an idle time after which the server did not answer, although the network worked. */
export function lost(limits: NetworkLimits, idleMs: number, bounds: Bounds, nowS: number): void {
  // The network bore twice as much before: the loss has another cause.
  if (idleMs < Math.floor(intervalOf(limits, bounds) / 2)) return;
  limits.survived = 0;
  limits.changed_at_s = nowS;
  if (limits.proven_ms !== 0 && idleMs > limits.proven_ms) {
    limits.lost_ms = limits.lost_ms === 0 ? idleMs : Math.min(limits.lost_ms, idleMs);
    limits.losses += 1;
    limits.interval_ms = limits.proven_ms;
  } else if (limits.is_doubted) {
    limits.lost_ms = idleMs;
    limits.losses = Math.max(limits.losses, 2);
    limits.proven_ms = 0;
    limits.interval_ms = Math.max(Math.floor(idleMs / 2), FLOOR_MS);
  } else {
    limits.is_doubted = true;
    return;
  }
  limits.lost_at_s = nowS;
}

/** Returns the interval to try behind a proven one. */
function next(limits: NetworkLimits, nowS: number): number {
  const { proven_ms: proven, lost_ms: lostMs, losses } = limits;
  if (lostMs === 0) return Math.floor(proven / 2) * 3;
  const isClose = Math.max(lostMs - proven, 0) <= Math.max(RESOLUTION_MS, Math.floor(proven / 8));
  const retryS = Math.min(RETRY_S * 4 ** Math.min(Math.max(losses - 1, 0), 8), RETRY_S_MAX);
  // A clock that was set back does not lengthen the wait.
  if (Math.abs(nowS - limits.lost_at_s) < (isClose ? RETRY_S_MAX : retryS)) return proven;
  // One loss may be chance, and networks change: the same idle time is tried again.
  return isClose || losses <= 1 ? lostMs : Math.floor((proven + lostMs) / 2);
}

/** Returns the key of a network: its type, then what else is known of it. */
export function networkKey(type: string, details: readonly string[]): string {
  const parts = [type, ...details].filter((part) => part !== '');
  const key = parts.map((part) => [...part].map((c) => (/[A-Za-z0-9._-]/.test(c) ? c : '_')).join(''));
  return key.join('/').slice(0, KEY_CHARS_MAX);
}

/** Limits of each network, by its key; bounded in number and age. */
export class NetworkMemory {
  #networks = new Map<string, NetworkLimits>();

  /** Reads a stored memory. Anything else than one is left out: the search then starts anew. */
  static read(stored: string | null, nowS: number): NetworkMemory {
    const memory = new NetworkMemory();
    if (stored === null || stored.length > STORED_CHARS_MAX) return memory;
    let networks: unknown;
    try {
      networks = (JSON.parse(stored) as { networks?: unknown } | null)?.networks;
    } catch {
      return memory;
    }
    if (typeof networks !== 'object' || networks === null) return memory;
    for (const [key, value] of Object.entries(networks)) {
      const limits = readLimits(value);
      if (key.length <= KEY_CHARS_MAX && limits && nowS - limits.changed_at_s < KEEP_S) memory.set(key, limits);
    }
    return memory;
  }

  toStored(): string {
    return JSON.stringify({ networks: Object.fromEntries(this.#networks) });
  }

  of(key: string): NetworkLimits {
    return { ...(this.#networks.get(key) ?? noLimits()) };
  }

  set(key: string, limits: NetworkLimits): void {
    this.#networks.set(key, { ...limits });
    if (this.#networks.size <= NETWORKS_MAX) return;
    let oldest = key;
    for (const [other, { changed_at_s }] of this.#networks) {
      if (changed_at_s < (this.#networks.get(oldest)?.changed_at_s ?? Infinity)) oldest = other;
    }
    this.#networks.delete(oldest);
  }
}

function readLimits(value: unknown): NetworkLimits | null {
  if (typeof value !== 'object' || value === null) return null;
  const limits: NetworkLimits = { ...noLimits(), ...value };
  const { interval_ms, proven_ms, lost_ms, lost_at_s, losses, survived: count, changed_at_s, is_doubted } = limits;
  const numbers = [interval_ms, proven_ms, lost_ms, lost_at_s, losses, count, changed_at_s];
  const areNumbers = numbers.every((number) => Number.isSafeInteger(number) && number >= 0);
  const isPlausible = interval_ms <= CEILING_MS && proven_ms <= CEILING_MS && count < CONFIRMATIONS;
  return areNumbers && isPlausible && typeof is_doubted === 'boolean' ? limits : null;
}

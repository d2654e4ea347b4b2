// What is wrong now, worst first. Pure: from one overview to a list.

import type { Key } from './i18n.ts';
import { fullness, ofRole, processes, type Overview, type Vitals } from './model.ts';

export type Level = 'ok' | 'warn' | 'bad';

export interface Finding {
  level: 'warn' | 'bad';
  key: Key;
  values: Record<string, string | number>;
}

/** Push p99 above which viewers notice, and above which they complain. */
const PUSH_WARN_MS = 500;
const PUSH_BAD_MS = 1_000;
/** Age of a report from which the figures of an instance are called stale. */
const REPORT_STALE_MS = 3_000;
/** Share of places from which a gateway is called almost full. */
const FULL_WARN = 0.9;
/** Overload level from which chat is thinned. */
const OVERLOAD_BAD = 3;

export function pushLevel(ms: number): Level {
  if (ms >= PUSH_BAD_MS) return 'bad';
  return ms >= PUSH_WARN_MS ? 'warn' : 'ok';
}

/** Returns whether a switch is not at its usual value. */
export function isSet(value: boolean | string): boolean {
  return value !== false && value !== 'no';
}

export function findings(overview: Overview, vitals: Vitals): Finding[] {
  const found: Finding[] = [];
  const bad = (key: Key, values: Finding['values'] = {}) => found.push({ level: 'bad', key, values });
  const warn = (key: Key, values: Finding['values'] = {}) => found.push({ level: 'warn', key, values });
  const gateways = ofRole(overview, 'gateway');
  if (gateways.length === 0) bad('findNoGateway');
  if (ofRole(overview, 'uplink').length === 0) bad('findNoUplink');
  if (vitals.conservationError > 0) bad('findConservation', { count: vitals.conservationError, stages: vitals.stages.join(', ') });
  for (const breaker of vitals.breakersOpen) bad('findBreaker', { breaker });
  if (pushLevel(vitals.pushP99Ms) === 'bad') bad('findSlow', { gateway: vitals.slowest ?? '', ms: Math.round(vitals.pushP99Ms) });
  if (overview.blind) bad('findBlind');
  for (const one of overview.not_asked) {
    const instance = `${one.role} ${one.id}`;
    if (ends(overview, one.role, one.id)) warn('findEnding', { instance });
    else bad('findNotAsked', { instance, why: one.why });
  }
  for (const one of processes(overview)) {
    // A process that drains takes no new work, which is what it is for.
    if (one.state?.not_ready && !one.draining) bad('findNotReady', { instance: `${one.role} ${one.id}`, why: one.state.not_ready });
  }
  for (const one of gateways) {
    if (one.load.overload_level >= OVERLOAD_BAD) bad('findOverload', { gateway: one.id, level: one.load.overload_level });
    else if (one.load.overload_level > 0) warn('findOverload', { gateway: one.id, level: one.load.overload_level });
    if (fullness(one) >= FULL_WARN) warn('findFull', { gateway: one.id, percent: Math.round(100 * fullness(one)) });
    if (one.draining) warn('findDraining', { gateway: one.id, viewers: one.load.connections });
  }
  for (const one of overview.instances) {
    if (one.report_age_ms >= REPORT_STALE_MS) warn('findStale', { instance: `${one.role} ${one.id}`, secs: Math.round(one.report_age_ms / 1_000) });
  }
  if ((vitals.refusedPerS ?? 0) > 0) warn('findRefused', { rate: (vitals.refusedPerS ?? 0).toFixed(1) });
  if (vitals.waiting > 0) warn('findWaiting', { count: vitals.waiting });
  for (const one of overview.switches) if (isSet(one.value)) warn('findSwitch', { name: one.name, value: String(one.value) });
  const versions = new Set(processes(overview).map((one) => one.state?.version));
  if (versions.size > 1) warn('findVersions', { versions: [...versions].join(', ') });
  for (const one of overview.instances) if (one.scaling?.panic) warn('findPanic');
  return found.sort((a, b) => (a.level === b.level ? 0 : a.level === 'bad' ? -1 : 1));
}

/** Returns whether an instance reported its drain and has no viewer left: its process ends, and its silence is no fault. */
function ends(overview: Overview, role: string, id: string): boolean {
  return overview.instances.some((one) => one.role === role && one.id === id && one.draining && one.load.connections === 0);
}

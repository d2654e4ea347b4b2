// What the console finds wrong, without a browser.

import { expect, test } from 'vitest';
import { findings } from '../findings.ts';

const load = { connections: 0, connections_max: 100, overload_level: 0, push_p99_ms: 1 };
const calm = { conservationError: 0, stages: [], breakersOpen: [], pushP99Ms: 1, slowest: null, refusedPerS: 0, waiting: 0 };

/** Returns an instance that answered, in a process of its own. */
function instance(role, id, process, more = {}) {
  const state = { version: '1', breakers: {}, joins_refused: {}, turned_away: 0, conservation_errors: {} };
  return { role, id, process, age_secs: 9, draining: false, conservation_error: 0, load, report_age_ms: 100, state, ...more };
}

/** Returns the findings of a fleet with one changed gateway, as words. */
function found(gateway, notAsked = []) {
  const instances = [instance('gateway', 'g-1', 1), instance('uplink', 'u-1', 2), instance('gateway', 'g-2', 3, gateway)];
  const overview = { at_ms: 1, instances, blind: false, rooms: [], rooms_total: 0, prewarms: [], switches: [], not_asked: notAsked };
  return findings(overview, calm).map(({ level, key }) => `${level} ${key}`);
}

const silent = [{ role: 'gateway', id: 'g-2', why: 'no connection to its admin address' }];

test('a healthy fleet has no finding', () => expect(found({})).toEqual([]));

test('the end of a drained gateway is no red finding, and the silence of any other is', () => {
  expect(found({ draining: true, state: undefined }, silent)).toEqual(['warn findEnding', 'warn findDraining']);
  expect(found({ state: undefined }, silent)).toEqual(['bad findNotAsked']);
  const withViewers = { draining: true, state: undefined, load: { ...load, connections: 5 } };
  expect(found(withViewers, silent)).toEqual(['bad findNotAsked', 'warn findDraining']);
});

test('a process that drains is not called unready', () => {
  const state = (more) => ({ state: { version: '1', breakers: {}, not_ready: 'this process drains' }, ...more });
  expect(found(state({ draining: true }))).toEqual(['warn findDraining']);
  expect(found(state({}))).toEqual(['bad findNotReady']);
});

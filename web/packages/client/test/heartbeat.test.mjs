// The heartbeat without a browser: it passes the vectors that the Rust client passes.

import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { test } from 'vitest';
import { Heartbeat } from '../src/heartbeat/heartbeat.ts';
import * as limits from '../src/heartbeat/network_limits.ts';

const WALL_MS = 1_700_000_000_000;

function terms({ interval_ms, interval_ms_max, listening }) {
  if (listening) return { intervalMs: interval_ms, manner: { kind: 'listening' } };
  const manner = interval_ms_max === undefined ? { kind: 'fixed' } : { kind: 'adaptive', maxMs: interval_ms_max };
  return { intervalMs: interval_ms, manner };
}

/** Applies an event; returns the action, `wait` for an event that asks for none. */
function apply(heartbeat, now, event) {
  switch (event.type) {
    case 'opened':
      heartbeat.opened(now, terms(event));
      break;
    case 'closed':
      heartbeat.closed(now, event.failed);
      break;
    case 'network_changed':
      return heartbeat.networkChanged(now, event.network);
    case 'sent':
      return heartbeat.sent(now);
    case 'check':
      return heartbeat.check(now);
    case 'received':
      heartbeat.received(now);
      break;
    case 'pong':
      heartbeat.pong(now, event.id);
      break;
    case 'terms':
      heartbeat.setTerms(terms(event));
      break;
    case 'poll':
      return heartbeat.poll(now);
    default:
      assert.fail(event.type);
  }
  return { type: 'wait' };
}

test('the steps of heartbeat.json', async () => {
  const file = new URL('../../../../services/client/vectors/heartbeat.json', import.meta.url);
  const { cases } = JSON.parse(await readFile(file, 'utf8'));
  assert.ok(cases.length > 0);
  for (const { name, steps } of cases) {
    const heartbeat = new Heartbeat(limits.NetworkMemory.read(null, 0), 'unknown', { steadyMs: 0, wallMs: WALL_MS });
    for (const [number, { at_ms, skew_ms = 0, event, action, interval_ms, wake_at_ms }] of steps.entries()) {
      const place = `${name}, step ${number}: ${JSON.stringify(event)}`;
      const now = { steadyMs: at_ms, wallMs: WALL_MS + at_ms + skew_ms };
      assert.deepEqual(apply(heartbeat, now, event), action, place);
      assert.equal(heartbeat.intervalMs, interval_ms, place);
      assert.equal(heartbeat.wakeAtMs, wake_at_ms, place);
    }
  }
});

test('the memory is bounded in networks and age, and forged storage starts anew', () => {
  const { NetworkMemory, networkKey, noLimits } = limits;
  const memory = new NetworkMemory();
  const changed = (changed_at_s) => ({ ...noLimits(), interval_ms: 60_000, proven_ms: 60_000, changed_at_s });
  for (let n = 0; n < 100; n += 1) memory.set(`wifi/${n}`, changed(n));
  assert.equal(memory.of('wifi/67').proven_ms, 0);
  assert.equal(memory.of('wifi/68').proven_ms, 60_000);
  const read = NetworkMemory.read(memory.toStored(), 100);
  assert.equal(read.toStored(), memory.toStored());
  assert.equal(NetworkMemory.read(memory.toStored(), 100 + 30 * 24 * 3_600).of('wifi/99').proven_ms, 0);
  const forged = [null, '', 'null', '[]', '{"networks":7}', '{"networks":{"a":null,"b":7,"c":{"proven_ms":-1},"d":{"proven_ms":1e300},"e":{"is_doubted":1}}}'];
  for (const stored of forged) assert.equal(NetworkMemory.read(stored, 0).toStored(), '{"networks":{}}', String(stored));
  assert.equal(networkKey('cellular', ['CN Mobile', '', 'east']), 'cellular/CN_Mobile/east');
  assert.equal(networkKey('wifi', ['家'.repeat(200)]).length, 80);
});

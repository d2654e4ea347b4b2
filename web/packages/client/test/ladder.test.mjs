// The ladder of transports without a browser: it passes the vectors that the Rust client passes.

import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { test } from 'vitest';
import * as module from '../src/ladder/ladder.ts';
import { UplinkOrder } from '../src/uplink/uplink_order.ts';

for (const name of ['ladder-downlink', 'ladder-uplink']) {
  test(`the steps of ${name}.json`, async () => {
    const file = new URL(`../../../../services/client/vectors/${name}.json`, import.meta.url);
    const { rungs, cases } = JSON.parse(await readFile(file, 'utf8'));
    assert.ok(cases.length > 0);
    for (const one of cases) {
      let ladder = new module.Ladder(rungs, { ...module.LADDER_LIMITS, ...one.limits });
      for (const [number, { at_ms, chance, event, actions, due_ms }] of one.steps.entries()) {
        const place = `${one.name}, step ${number}: ${JSON.stringify(event)}`;
        assert.deepEqual(ladder.step(at_ms, chance, event), actions, place);
        assert.equal(ladder.dueMs, due_ms, place);
        // A copy goes on as the original would.
        ladder = ladder.clone();
      }
    }
  });
}

test('the steps of uplink-order.json', async () => {
  const file = new URL('../../../../services/client/vectors/uplink-order.json', import.meta.url);
  const cases = JSON.parse(await readFile(file, 'utf8'));
  assert.ok(cases.length > 0);
  for (const { name, steps } of cases) {
    const order = new UplinkOrder();
    for (const [number, step] of steps.entries()) {
      if (step.named) order.name(step.named);
      if (step.failed) order.failed(step.at_ms, step.failed);
      if (step.answered) order.answered(step.answered);
      for (const [url, ms] of step.raced ?? []) order.raced(step.at_ms, url, ms);
      assert.deepEqual(order.order(step.at_ms), step.order, `${name}, step ${number}`);
    }
  }
});

// The ladder of transports without a browser: it passes the vectors that the Rust client passes.

import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { after, before, test } from 'node:test';
import { modules } from './modules.mjs';

let page;
let module;

before(async () => {
  page = await modules();
  module = await page.load('net/ladder.ts');
});
after(() => page?.close());

for (const name of ['ladder-downlink', 'ladder-uplink']) {
  test(`the steps of ${name}.json`, async () => {
    const file = new URL(`../../services/client/vectors/${name}.json`, import.meta.url);
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

// The state of the room without a browser: it passes the vectors that the Rust client passes.

import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { test } from 'vitest';
import * as module from '../src/protocol/state.ts';

/** A state without empty parts, as the Rust client writes it. */
function plain(state) {
  return JSON.parse(JSON.stringify(state));
}

test('the steps of state.json', async () => {
  const file = new URL('../../../../services/client/vectors/state.json', import.meta.url);
  const { cases } = JSON.parse(await readFile(file, 'utf8'));
  assert.ok(cases.length > 0);
  for (const one of cases) {
    const state = {};
    for (const [number, { take, newer, state: expected }] of one.steps.entries()) {
      const place = `${one.name}, step ${number}`;
      assert.equal(module.merge(state, take), newer, place);
      if (expected) assert.deepEqual(plain(state), expected, place);
      assert.equal(module.merge(state, take), false, `${place}, again`);
    }
  }
});

test('what is no state changes nothing', () => {
  const state = {};
  for (const bad of [null, 1, 'x', [], { settings: 3 }, { attributes: [] }, { attributes: { entries: { a: 1 } } }]) {
    assert.equal(module.merge(state, bad), false, JSON.stringify(bad));
  }
  const entries = JSON.parse('{"__proto__": {"version": 1, "value": {"text": "x"}}}');
  assert.equal(module.merge(state, { attributes: { entries } }), true);
  assert.equal({}.text, undefined);
  assert.deepEqual(Object.keys(state.attributes.entries), ['__proto__']);
});

// Custom events without a browser: a body is read whole, and a damaged one without an exception.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { modules } from './modules.mjs';

let page;
let readBody;

before(async () => {
  page = await modules();
  ({ readBody } = await page.load('packages/client/src/protocol.ts'));
});
after(() => page?.close());

test('a custom event keeps its type, id and data', () => {
  const body = { type: 'event', event: 'shop.card', id: 'e-1', data: { item: '42' }, at_ms: 7 };
  assert.deepEqual(readBody(body), body);
});

test('an event without fields has empty ones', () => {
  assert.deepEqual(readBody({ type: 'event', event: 5 }), { type: 'event', event: '', id: '', data: null, at_ms: 0 });
  assert.equal(readBody({ type: 'something_new' }), null);
});

// Custom events without a browser: a body is read whole, and a damaged one without an exception.

import assert from 'node:assert/strict';
import { test } from 'vitest';
import { readBody } from '../src/protocol/bodies.ts';

test('a custom event keeps its type, id and data', () => {
  const body = { type: 'event', event: 'shop.card', id: 'e-1', data: { item: '42' }, at_ms: 7 };
  assert.deepEqual(readBody(body), body);
});

test('an event without fields has empty ones', () => {
  assert.deepEqual(readBody({ type: 'event', event: 5 }), { type: 'event', event: '', id: '', data: null, at_ms: 0 });
  assert.equal(readBody({ type: 'something_new' }), null);
});

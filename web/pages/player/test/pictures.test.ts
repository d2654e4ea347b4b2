// Sizes of pictures without a browser.

import { expect, test } from 'vitest';
import { quotable, PICTURE } from '../log/entry.ts';
import { boxOf } from '../media/size.ts';

test('a box has the shape of its picture, within bounds', () => {
  expect(boxOf({ width: 1_600, height: 1_000 })).toEqual({ width: 240, height: 150 });
  expect(boxOf({ width: 1_000, height: 1_600 })).toEqual({ width: 113, height: 180 });
  expect(boxOf({ width: 100, height: 80 })).toEqual({ width: 100, height: 80 });
  expect(boxOf({ width: 10_000, height: 10 })).toEqual({ width: 240, height: 40 });
  expect(boxOf({ width: 800, height: 800, is_public: true })).toEqual({ width: 96, height: 96 });
  expect(boxOf({})).toEqual({ width: 180, height: 180 });
});

test('a picture without a text is quoted by a sign', () => {
  const chat = { type: 'chat', id: '1', user: 'u', name: 'U', at_ms: 1, text: '', style: { mode: 'scroll', size: 'normal', color: 0 } } as const;
  expect([quotable({ ...chat, media: null }), quotable(chat), quotable({ ...chat, text: 'hi', media: null })]).toEqual([PICTURE, '', 'hi']);
});

// Texts of the inbox in both languages, without a browser.

import { expect, test } from 'vitest';
import { EN } from '../letters/texts/en.ts';
import { ZH } from '../letters/texts/zh.ts';

const names = (words) => [...words.matchAll(/\{(\w+)\}/g)].map(([, name]) => name).sort();

test('both languages have every text, with the same places for values', () => {
  expect(Object.keys(EN).sort()).toEqual(Object.keys(ZH).sort());
  for (const key of Object.keys(ZH)) expect(names(EN[key]), key).toEqual(names(ZH[key]));
});

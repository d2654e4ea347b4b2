// Texts of the console in both languages, without a browser.

import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { EN } from '../en.ts';
import { ZH } from '../zh.ts';

const names = (words) => [...words.matchAll(/\{(\w+)\}/g)].map(([, name]) => name).sort();

test('both languages have every text, with the same places for values', () => {
  expect(Object.keys(EN).sort()).toEqual(Object.keys(ZH).sort());
  for (const [key, words] of [...Object.entries(ZH), ...Object.entries(EN)]) expect(words, key).toBeTruthy();
  for (const key of Object.keys(ZH)) expect(names(EN[key]), key).toEqual(names(ZH[key]));
});

test('each key of the page is a text', () => {
  const page = readFileSync(new URL('../index.html', import.meta.url), 'utf8');
  const keys = [...page.matchAll(/ data-i18n(?:-label|-placeholder|-empty)?="([^"]*)"/g)].map(([, key]) => key);
  expect(keys.length).toBeGreaterThan(10);
  expect(keys.filter((key) => !(key in ZH))).toEqual([]);
});

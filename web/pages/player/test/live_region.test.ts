// When screen readers read the rows of the list.

import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { LiveRegion } from '../log/live_region.ts';

let live: string | null;
let region: LiveRegion;
/** Work that waits for the next frame of the browser. */
let frame: (() => void)[];

beforeEach(() => {
  vi.useFakeTimers({ now: 10_000, toFake: ['performance'] });
  live = 'polite';
  frame = [];
  vi.stubGlobal('requestAnimationFrame', (work: () => void) => frame.push(work));
  const log = { getAttribute: () => live, setAttribute: (_: string, value: string) => (live = value) };
  region = new LiveRegion(log as unknown as HTMLElement);
});
afterEach(() => {
  vi.useRealTimers();
  vi.unstubAllGlobals();
});

test('a flood of thirty rows a second is silent, also in the first rows of each second', () => {
  const states = Array.from({ length: 20 }, () => {
    vi.advanceTimersByTime(200);
    region.rows(6);
    return live;
  });
  expect(new Set(states.slice(5))).toEqual(new Set(['off']));
});

test('a list is read again after a whole second with few rows, or without any', () => {
  for (const few of [true, false]) {
    region.rows(30);
    expect(live).toBe('off');
    vi.advanceTimersByTime(1_000);
    if (few) region.rows(2);
    if (few) expect(live).toBe('off');
    vi.advanceTimersByTime(1_000);
    region.rows(2);
    expect(live).toBe('polite');
  }
});

test('a page of the past that comes as a flood begins leaves the flood silent', () => {
  region.silently(() => undefined);
  expect(live).toBe('off');
  region.rows(30);
  for (const work of frame) work();
  expect([live, region.silent]).toEqual(['off', true]);
});

test('two silent changes in one frame end together', () => {
  region.silently(() => undefined);
  region.silently(() => undefined);
  for (const work of frame.splice(0, 1)) work();
  expect(live).toBe('off');
  for (const work of frame) work();
  expect([live, region.silent]).toEqual(['polite', false]);
});

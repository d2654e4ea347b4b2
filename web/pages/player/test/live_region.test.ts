// When screen readers read the rows of the list.

import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { LiveRegion } from '../log/live_region.ts';

let live: string | null;
let region: LiveRegion;

beforeEach(() => {
  vi.useFakeTimers({ now: 10_000, toFake: ['performance'] });
  live = 'polite';
  const log = { getAttribute: () => live, setAttribute: (_: string, value: string) => (live = value) };
  region = new LiveRegion(log as unknown as HTMLElement);
});
afterEach(() => {
  vi.useRealTimers();
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

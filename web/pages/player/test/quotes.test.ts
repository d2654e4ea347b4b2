// Quotes of messages that the page does not hold: one request at a time, and nothing grows without a bound.

import { type Written } from '@barrage/client';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { Quotes } from '../log/quotes.ts';

const body = (text: string, user = 'u') => ({ type: 'chat', id: text, user, name: user, text }) as Written;

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

function reader(history: Record<number, Written | null | undefined>) {
  const read: number[] = [];
  const found: number[] = [];
  let open = 0;
  const quotes = new Quotes(
    async (sequence) => {
      open += 1;
      expect(open, 'one request at a time').toBe(1);
      read.push(sequence);
      await new Promise((resolve) => setTimeout(resolve, 100));
      open -= 1;
      return history[sequence];
    },
    (sequence) => void found.push(sequence),
  );
  return { quotes, read, found };
}

test('a message is read once, and a missing one is not asked for again', async () => {
  const { quotes, read, found } = reader({ 7: body('seven'), 8: null });
  expect(quotes.of(7)).toBeNull();
  for (const sequence of [7, 8, 8]) quotes.of(sequence);
  await vi.advanceTimersByTimeAsync(5_000);
  expect([read, found]).toEqual([[7, 8], [7]]);
  expect([quotes.of(7), quotes.of(8)]).toEqual([body('seven'), null]);
  await vi.advanceTimersByTimeAsync(5_000);
  expect(read.length).toBe(2);
});

test('a history that does not answer is asked again by the next reply', async () => {
  const history: Record<number, Written | null | undefined> = { 7: undefined };
  const { quotes, read, found } = reader(history);
  quotes.of(7);
  await vi.advanceTimersByTimeAsync(5_000);
  history[7] = body('seven');
  quotes.of(7);
  await vi.advanceTimersByTimeAsync(5_000);
  expect([read, found]).toEqual([[7, 7], [7]]);
});

test('a flood of replies drops the oldest, and pauses between requests', async () => {
  const { quotes, read } = reader({});
  for (let sequence = 1; sequence <= 1_000; sequence += 1) quotes.of(sequence);
  await vi.advanceTimersByTimeAsync(1_000);
  expect(read.length).toBeLessThanOrEqual(3);
  await vi.advanceTimersByTimeAsync(60_000);
  expect(read.length).toBe(20);
  expect(read.at(-1)).toBe(1_000);
});

test('a hidden message is quoted no more', async () => {
  const { quotes } = reader({ 7: body('seven'), 8: body('eight', 'troll') });
  for (const sequence of [7, 8]) quotes.of(sequence);
  await vi.advanceTimersByTimeAsync(5_000);
  quotes.hide((_, { user }) => user === 'troll');
  expect([quotes.of(7), quotes.of(8)]).toEqual([body('seven'), null]);
});

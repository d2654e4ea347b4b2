// Any sequence of seeks and plays shows each message exactly as the list of the recording says.

import { describe, expect, test } from 'vitest';
import { Coverage } from '../timeline/coverage.ts';
import { type Message } from '../timeline/message.ts';
import { Playhead } from '../timeline/playhead.ts';
import { Timeline } from '../timeline/timeline.ts';

/** Pseudo-random numbers from 0 to 1, the same for the same seed. */
function seeded(seed: number): () => number {
  let state = seed;
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return (state >>> 4) / 2 ** 28;
  };
}

function message(id: number, offsetMs: number): Message {
  return { id: String(id), offsetMs, kind: 'chat', user: 'u', name: 'u', role: '', text: `t${id}`, mode: 'scroll', color: 0, size: 'normal' };
}

/** Messages with many equal offsets, shuffled. */
function recording(random: () => number, count: number, endMs: number): Message[] {
  const messages = Array.from({ length: count }, (_, id) => message(id, Math.floor(random() * endMs * 0.1) * 10));
  for (let at = messages.length - 1; at > 0; at -= 1) {
    const other = Math.floor(random() * (at + 1));
    [messages[at], messages[other]] = [messages[other]!, messages[at]!];
  }
  return messages;
}

describe('playhead', () => {
  test.each([1, 2, 3, 4, 5, 6, 7, 8])('each played stretch has its messages once and in order, seed %i', (seed) => {
    const random = seeded(seed);
    const endMs = 60_000;
    const all = recording(random, 2_000, endMs);
    const timeline = new Timeline();
    timeline.add(all);
    const list = timeline.all;
    expect(list.map(({ offsetMs }) => offsetMs)).toEqual([...list].map(({ offsetMs }) => offsetMs).sort((a, b) => a - b));
    const head = new Playhead(timeline);
    for (let round = 0; round < 1_000; round += 1) {
      const fromMs = Math.floor(random() * (endMs + 2_000)) - 1_000;
      head.seek(fromMs);
      let shown: string[] = [];
      let toMs = fromMs;
      for (let step = 0; step < 5; step += 1) {
        // Clocks stand, jitter back a little, run, and jump.
        toMs = Math.max(toMs, fromMs) + [0, 1, 10, 16.7, random() * 5_000][Math.floor(random() * 5)]!;
        shown = shown.concat(head.play(toMs).map(({ id }) => id));
        expect(head.play(toMs - random() * 50)).toEqual([]);
      }
      const expected = list.filter(({ offsetMs }) => offsetMs >= fromMs && offsetMs < toMs).map(({ id }) => id);
      expect(shown).toEqual(expected);
    }
  });

  test.each([11, 12, 13])('windows that arrive in any order while it plays lose and double nothing, seed %i', (seed) => {
    const random = seeded(seed);
    const [endMs, windowMs] = [30_000, 1_000];
    const all = recording(random, 3_000, endMs);
    const expected = new Timeline();
    expected.add(all);
    const [timeline, coverage] = [new Timeline(), new Coverage(windowMs)];
    const head = new Playhead(timeline);
    const shown: string[] = [];
    let position = 0;
    while (position < endMs) {
      const want = coverage.next(random() < 0.7 ? position : random() * endMs, endMs);
      if (want !== null) {
        // Pages overlap: what is asked again comes again.
        const [fromMs, toMs] = [want * windowMs - random() * 500, (want + 1) * windowMs];
        const page = all.filter(({ offsetMs }) => offsetMs >= fromMs && offsetMs < toMs);
        timeline.add(page);
        coverage.load(want);
      }
      position = Math.min(position + random() * 700, coverage.loadedTo(position), endMs);
      shown.push(...head.play(position).map(({ id }) => id));
    }
    const wanted = expected.between(0, endMs).map(({ id, offsetMs }) => [id, offsetMs] as const);
    expect(shown.length).toBe(wanted.length);
    expect(new Set(shown).size).toBe(shown.length);
    const offsets = new Map(wanted);
    const played = shown.map((id) => offsets.get(id)!);
    expect(played).toEqual([...played].sort((a, b) => a - b));
  });
});

describe('timeline', () => {
  test('a message that comes again is not doubled', () => {
    const timeline = new Timeline();
    expect(timeline.add([message(1, 10), message(2, 5), message(1, 10)])).toBe(2);
    expect(timeline.add([message(2, 5), message(3, 7)])).toBe(1);
    expect(timeline.all.map(({ id }) => id)).toEqual(['2', '3', '1']);
  });

  test('the latest messages are those before the moment, oldest first', () => {
    const timeline = new Timeline();
    timeline.add([1, 2, 3, 4].map((id) => message(id, id * 10)));
    expect(timeline.latest(31, 2).map(({ id }) => id)).toEqual(['2', '3']);
    expect(timeline.latest(30, 2).map(({ id }) => id)).toEqual(['1', '2']);
    expect(timeline.endMs).toBe(40);
  });
});

describe('coverage', () => {
  test('what comes next is loaded first, and then what was before', () => {
    const coverage = new Coverage(10);
    const order: number[] = [];
    for (let window = coverage.next(35, 50); window !== null; window = coverage.next(35, 50)) {
      coverage.load(window);
      order.push(window);
    }
    expect(order).toEqual([3, 4, 5, 2, 1, 0]);
    expect(coverage.loadedTo(35)).toBe(60);
    expect(new Coverage(10).loadedTo(35)).toBe(35);
  });
});

// A replay with a clock, seeks, and an archive that loads meanwhile.

import { describe, expect, test } from 'vitest';
import { Session } from '../session.ts';
import { readTime, timeText } from '../time_text.ts';
import { PlainClock } from '../timeline/clock.ts';
import { type Message } from '../timeline/message.ts';
import { Timeline } from '../timeline/timeline.ts';

function message(id: number, offsetMs: number): Message {
  return { id: String(id), offsetMs, kind: 'chat', user: 'u', name: 'u', role: '', text: '', mode: 'scroll', color: 0, size: 'normal' };
}

/** A session over a message in each second, with a clock that the test turns. */
function replay(loadedTo: (ms: number) => number = () => Infinity) {
  let nowMs = 0;
  const timeline = new Timeline();
  timeline.add(Array.from({ length: 100 }, (_, id) => message(id, id * 1_000)));
  const shown: string[] = [];
  const moves: number[] = [];
  const clock = new PlainClock(() => nowMs);
  const session = new Session(timeline, clock, loadedTo, { due: (messages) => shown.push(...messages.map(({ id }) => id)), moved: (ms) => moves.push(ms) });
  const run = (ms: number, steps = 7) => {
    for (let step = 0; step < steps; step += 1) {
      nowMs += ms / steps;
      session.tick();
    }
  };
  return { session, clock, shown, moves, run, timeline };
}

describe('session', () => {
  test('what is played is shown once, and what is sought over is not', () => {
    const { session, shown, moves, run } = replay();
    session.play();
    run(2_500);
    expect(shown).toEqual(['0', '1', '2']);
    session.seek(50_000);
    expect(moves).toEqual([50_000]);
    run(1_500);
    session.pause();
    run(60_000);
    session.seek(1_500);
    session.play();
    run(1_000);
    expect(shown).toEqual(['0', '1', '2', '50', '51', '2']);
  });

  test('it waits at the edge of what is loaded, and goes on without a loss', () => {
    let edge = 3_000;
    const { session, shown, run, timeline } = replay(() => edge);
    session.play();
    run(10_000, 100);
    expect(session.waiting).toBe(true);
    expect(session.playing).toBe(true);
    expect(shown).toEqual(['0', '1', '2']);
    expect(session.positionMs).toBeLessThan(3_200);
    expect(session.shownMs).toBe(3_000);
    timeline.add([message(1_000, 3_000)]);
    edge = Infinity;
    run(2_000, 40);
    expect(session.waiting).toBe(false);
    expect(shown.slice(0, 5)).toEqual(['0', '1', '2', '3', '1000']);
  });

  test('a shift delays messages against the clock, and a rate lets the clock run faster', () => {
    const { session, shown, run } = replay();
    session.shift(10_000);
    session.play();
    run(9_000);
    expect(shown).toEqual([]);
    run(2_500);
    expect(shown).toEqual(['0', '1']);
    session.setRate(4);
    run(1_000);
    expect(shown.at(-1)).toBe('5');
  });

  test('another clock begins at the position, and nothing is shown again', () => {
    const { session, shown, run } = replay();
    session.play();
    run(4_500);
    session.pause();
    session.use(new PlainClock(() => 0));
    expect(session.positionMs).toBeCloseTo(4_500);
    expect(shown).toEqual(['0', '1', '2', '3', '4']);
  });
});

describe('times', () => {
  test('are written and read as a person writes them', () => {
    expect([0, 59_999, 61_000, 3_723_000].map(timeText)).toEqual(['0:00', '0:59', '1:01', '1:02:03']);
    expect(['90', '1:30', '1:02:03', '0.5', 'x', '-1', '', null].map(readTime)).toEqual([90_000, 90_000, 3_723_000, 500, 0, 0, 0, 0]);
  });
});

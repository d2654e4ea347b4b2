// The small pure parts of the stage: clock, recording, masks, heat line, sprites' memory, readers of files.

import assert from 'node:assert/strict';
import { test } from 'vitest';
import { StageClock } from '../src/clock.ts';
import { clean } from '../src/danmaku.ts';
import { FrameTime } from '../src/frame_time.ts';
import { heat, heatPath } from '../src/heat.ts';
import { Lru } from '../src/lru.ts';
import { Schedule } from '../src/mask.ts';
import { readMode7 } from '../src/mode7.ts';
import { changed, DEFAULTS } from '../src/settings.ts';
import { styleOf } from '../src/style.ts';
import { Timeline } from '../src/timeline.ts';

test('the clock stops, follows a rate and jumps', () => {
  const clock = new StageClock(1_000);
  assert.equal(clock.at(1_500), 500);
  clock.run(1_500, false);
  assert.equal(clock.at(9_000), 500);
  clock.run(10_000, true);
  assert.equal(clock.at(10_100), 600);
  clock.setRate(10_100, 2);
  assert.equal(clock.at(10_200), 800);
  assert.equal(clock.pageMsOf(800), 10_200);
  clock.seek(10_200, 60_000);
  assert.equal(clock.at(10_300), 60_200);
  assert.equal(clock.pageMsOf(60_200), 10_300);
});

test('a thousand seeks in a recording give each danmaku once from there on', () => {
  const items = Array.from({ length: 500 }, (_, n) => ({ atMs: n * 20, text: String(n), user: 'u', sequence: n }));
  const timeline = new Timeline([...items].reverse());
  for (let n = 0; n < 1_000; n += 1) {
    const fromMs = (n * 7_919) % 10_000;
    timeline.seek(fromMs);
    const taken = [fromMs + 3, fromMs + 500, 20_000].flatMap((nowMs) => timeline.take(nowMs));
    assert.deepEqual(taken.map(({ sequence }) => sequence), items.filter(({ atMs }) => atMs >= fromMs).map(({ sequence }) => sequence));
    assert.equal(timeline.more, false);
  }
});

test('late frames lower the share of danmaku, frames in time raise it, and pauses change nothing', () => {
  const time = new FrameTime();
  let nowMs = 0;
  const frames = (count, everyMs) => {
    for (let n = 0; n < count; n += 1) time.frame((nowMs += everyMs), 16);
  };
  frames(100, 17);
  assert.equal(time.share, 1);
  frames(10, 100);
  assert.ok(time.share < 0.75 && time.share > 0.69);
  frames(100, 100);
  assert.equal(time.share, 0.4);
  frames(1, 60_000);
  assert.equal(time.share, 0.4);
  frames(400, 17);
  assert.equal(time.share, 1);
});

test('masks hold from their times on, in any order of arrival', () => {
  const schedule = new Schedule();
  schedule.add('b', 200);
  schedule.add('a', 100);
  schedule.add('c', 300);
  assert.equal(schedule.take(50), null);
  assert.equal(schedule.take(250).value, 'b');
  assert.equal(schedule.take(250), null);
  assert.equal(schedule.take(300).value, 'c');
  for (let n = 0; n < 2_000; n += 1) schedule.add(n, n);
  assert.equal(schedule.waiting, 512);
});

test('the heat line shows where danmaku come, from 0 to 1', () => {
  const line = heat([1_000, 1_010, 1_020, 9_000, -5, 99_000], 10_000, 10);
  assert.equal(line.length, 10);
  assert.equal(Math.max(...line), 1);
  assert.equal(line[1], 1);
  assert.ok(line[8] < 1 && line[8] > 0 && line[5] === 0);
  assert.equal(heatPath([0, 1], 100, 10), 'M0 10L0 10L25 10L75 0L100 0L100 10Z');
  assert.deepEqual(heat([], 0, 3), [0, 0, 0]);
});

test('the memory of pictures forgets what was used longest ago', () => {
  const lru = new Lru(10);
  lru.set('a', 1, 4);
  lru.set('b', 2, 4);
  assert.equal(lru.get('a'), 1);
  lru.set('c', 3, 4);
  assert.deepEqual([lru.get('a'), lru.get('b'), lru.get('c'), lru.size], [1, undefined, 3, 8]);
  lru.set('d', 4, 100);
  assert.deepEqual([lru.length, lru.get('d')], [1, 4]);
});

test('mode 7 of files is a placed danmaku', () => {
  const read = readMode7('["341","0.25","0.5-1",4.5,"hi/nyou",45,0,"0.5","0.25",500,100]');
  assert.deepEqual(read, {
    text: 'hi\nyou',
    place: { x: 0.5, y: 0.25, toX: 0.5, toY: 0.25, fromOpacity: 0.5, toOpacity: 1, durationMs: 4_500, moveMs: 500, delayMs: 100, rotateDeg: 45 },
  });
  for (const bad of ['', '{}', '[1,2]', '[', '["x","y","1",1,"t"]', '[0,0,"1",1,{}]', `["${'0'.repeat(20_000)}"]`]) assert.equal(readMode7(bad), null, bad.slice(0, 20));
});

test('a style of the protocol gives mode, colour, size and place', () => {
  const place = { x: 1_000, y: 2_500, duration_ms: 4_500, end: { x: 6_000, y: 2_500, move_ms: 1_500, delay_ms: 500 }, height: 600, opacity: [100, 20], rotate_z: -15, rotate_y: 30 };
  const read = clean({ sequence: 1, user: 'u', text: 't', ...styleOf({ mode: 'placed', color: 255, size: 'large', place }) });
  assert.deepEqual([read.mode, read.color, read.size], ['placed', 255, 'large']);
  assert.deepEqual(read.place, { x: 0.1, y: 0.25, toX: 0.6, toY: 0.25, durationMs: 4_500, delayMs: 500, moveMs: 1_500, fromOpacity: 1, toOpacity: 0.2, height: 0.06, rotateDeg: -15, turnDeg: 30 });
  assert.equal(clean({ sequence: 1, user: 'u', text: 't', ...styleOf({ mode: 'placed' }) }).mode, 'scroll');
});

test('fields of any value give a danmaku within its bounds', () => {
  const odd = [undefined, null, NaN, Infinity, -1, 1e300, '', 'x', '<img src=x onerror=alert(1)>', {}, [], () => 1, Symbol('s'), 2n ** 70n, '\ud800'];
  for (const value of odd) {
    const given = { sequence: value, user: value, text: 'text', tag: value, mode: value, color: value, size: value, lane: value, place: value };
    const read = clean(given);
    assert.equal(read.text, 'text');
    assert.ok(read.color >= 0 && read.color <= 0xffffff && Number.isInteger(read.color));
    assert.equal(read.mode, 'scroll');
    const placed = clean({ ...given, mode: 'placed', place: { x: value, y: value, toX: value, durationMs: value, rotateDeg: value, fromOpacity: value } });
    for (const number of Object.values(placed.place ?? {})) assert.ok(Number.isFinite(number));
    assert.equal(clean({ ...given, pieces: [value, { emote: 'e', url: value }, { link: value, text: 'l' }, 'end'] }).text.endsWith('end'), true);
    changed(DEFAULTS, { opacity: value, area: value, modes: value, words: value, users: value, font: value });
  }
  assert.equal(clean({ text: ' \n\t ', user: 'u', sequence: 1 }), null);
  assert.equal(clean({ text: 'x'.repeat(100_000), user: 'u', sequence: 1 }).text.length, 400);
});

test('only addresses by https and of the own host are kept for emotes and links', () => {
  const pieces = (url) => clean({ sequence: 1, user: 'u', text: 't', pieces: [{ emote: 'Kappa', url }, { link: url, text: 'here' }] }).pieces;
  assert.deepEqual(pieces('https://cdn.example/k.png'), [{ emote: 'Kappa', url: 'https://cdn.example/k.png' }, { link: 'https://cdn.example/k.png', text: 'here' }]);
  // Outside of a page the own host is this one.
  assert.deepEqual(pieces('http://invalid.example:8082/k.png')[0], { emote: 'Kappa', url: 'http://invalid.example:8082/k.png' });
  for (const url of ['javascript:alert(1)', 'data:text/html,x', 'http://cdn.example/', 'blob:https://a/b', 'vbscript:x', '//cdn.example/k.png', '/\\\\cdn.example', 'x.png', '<img src=x>', 5]) assert.deepEqual(pieces(url), ['Kappa', 'here'], String(url));
});

// The lanes and the queue in front of them without a browser: no two danmaku overlap at any time.

import assert from 'node:assert/strict';
import { test } from 'vitest';
import { Admission } from '../src/admission.ts';
import { boxAt, Lanes } from '../src/lanes.ts';
import { overlapping, seeded } from './boxes.mjs';

const SIZE = { widthPx: 1_000, heightPx: 500, rowPx: 12 };
const HOW = { speedPxPerMs: 0.1, standMs: 5_000 };
const wish = (widthPx, motion = 'scroll', rows = 3) => ({ motion, widthPx, rows });

test('a lane takes a danmaku only after the whole of the last one has passed the edge', () => {
  const lanes = new Lanes({ ...SIZE, heightPx: 36 });
  assert.ok(lanes.place(wish(300), 0, HOW));
  assert.equal(lanes.place(wish(100), 3_000, HOW), null, 'the last one is still at the edge');
  const next = lanes.place(wish(100), 3_200, HOW);
  assert.equal(next.topPx, 0);
});

test('a faster danmaku waits until it cannot reach the one in front', () => {
  const lanes = new Lanes({ ...SIZE, heightPx: 36 });
  const slow = lanes.place(wish(300), 0, HOW);
  const fast = { ...HOW, speedPxPerMs: 0.2 };
  assert.equal(lanes.place(wish(100), 4_000, fast), null);
  // The faster one crosses 1,000 px in 5,000 ms: it must not reach the left edge before 13,000 ms.
  const after = lanes.place(wish(100), slow.endMs - 4_800, fast);
  assert.ok(after);
  for (let ms = 0; ms < 20_000; ms += 10) assert.equal(overlapping(lanes.boxes, ms), null);
});

test('scrolling danmaku pass below a standing one, which waits for those that are already shown', () => {
  const lanes = new Lanes({ ...SIZE, heightPx: 72 });
  const standing = lanes.place(wish(400, 'top'), 0, HOW);
  assert.deepEqual([standing.leftPx, standing.topPx], [300, 0]);
  assert.ok(lanes.place(wish(200), 0, HOW).topPx >= standing.heightPx);
  assert.equal(lanes.place(wish(400, 'bottom'), 1_000, HOW), null, 'the scrolling one would meet it');
});

test('standing danmaku share no row', () => {
  const lanes = new Lanes(SIZE);
  const tops = [0, 1, 2].map(() => lanes.place(wish(100, 'top'), 0, HOW).topPx);
  assert.deepEqual(tops, [0, 36, 72]);
  const bottoms = [0, 1].map(() => lanes.place(wish(100, 'bottom'), 0, HOW).topPx);
  assert.deepEqual(bottoms, [464, 428]);
});

test('a danmaku that is higher than the stage has no place', () => {
  assert.equal(new Lanes({ ...SIZE, heightPx: 30 }).place(wish(10), 0, HOW), null);
  assert.equal(new Lanes({ ...SIZE, heightPx: 0 }).place(wish(10), 0, HOW), null);
});

test('reverse danmaku move right, and meet no scrolling one', () => {
  const lanes = new Lanes({ ...SIZE, heightPx: 72 });
  const reverse = lanes.place(wish(200, 'reverse'), 0, HOW);
  assert.deepEqual([reverse.leftPx, reverse.speedPxPerMs, reverse.topPx], [-200, -0.1, 36]);
  assert.equal(lanes.place(wish(200), 0, HOW).topPx, 0);
  assert.equal(lanes.place(wish(200), 5_000, HOW).topPx, 0);
  assert.equal(lanes.place(wish(200), 5_000, HOW), null, 'it would meet the reverse one');
});

test('a placed danmaku takes its place, and others pass beside it', () => {
  const lanes = new Lanes({ ...SIZE, heightPx: 72 });
  const bounds = { leftPx: 400, topPx: 10, widthPx: 100, heightPx: 20 };
  assert.ok(lanes.place({ ...wish(100, 'placed'), bounds }, 0, HOW));
  assert.equal(lanes.place({ ...wish(100, 'placed'), bounds }, 100, HOW), null);
  assert.equal(lanes.place(wish(900), 0, HOW).topPx, 36);
});

test('scrolling danmaku of others leave rows to the first classes after one of them', () => {
  const lanes = new Lanes(SIZE);
  assert.ok(lanes.place({ ...wish(100), first: true }, 0, HOW));
  const others = [1, 2, 3].map(() => lanes.place(wish(100), 0, HOW).topPx);
  assert.ok(others.every((topPx) => topPx >= 36));
  assert.equal(lanes.place({ ...wish(100), first: true }, 2_000, HOW).topPx, 0);
});

test('a danmaku grows at its end, and not into the one behind it', () => {
  const lanes = new Lanes({ ...SIZE, heightPx: 36 });
  const first = lanes.place(wish(100), 0, HOW);
  assert.ok(lanes.grow(first, 150));
  assert.deepEqual([first.leftPx, first.widthPx, first.endMs], [1_000, 150, 11_500]);
  assert.ok(lanes.place(wish(100), 1_800, HOW));
  assert.equal(lanes.grow(first, 200), false);
  assert.equal(first.widthPx, 150);
});

test('a point finds the danmaku that covers it at that time', () => {
  const lanes = new Lanes(SIZE);
  const box = lanes.place(wish(100), 0, HOW);
  assert.equal(boxAt(lanes.boxes, 950, 10, 1_000), box);
  assert.equal(boxAt(lanes.boxes, 850, 10, 1_000), null);
  assert.equal(boxAt(lanes.boxes, 950, 40, 1_000), null);
});

test('no two danmaku meet, whatever widths, speeds, modes, growth, removals and sizes of the stage', () => {
  for (let round = 0; round < 80; round += 1) {
    const random = seeded(round);
    const among = (...of) => of[Math.floor(random() * of.length)];
    const lanes = new Lanes(SIZE);
    let nowMs = 0;
    let placed = 0;
    for (let step = 0; step < 300; step += 1) {
      nowMs += random() * 120;
      lanes.expire(nowMs);
      if (random() < 0.03) lanes.resize({ widthPx: 200 + random() * 1_200, heightPx: 60 + random() * 600, rowPx: among(7, 10, 12, 19) });
      if (random() < 0.1 && lanes.boxes.length > 0) lanes.grow(among(...lanes.boxes), 100 + random() * 600);
      if (random() < 0.02 && lanes.boxes.length > 0) lanes.free(among(...lanes.boxes));
      const motion = among('scroll', 'scroll', 'scroll', 'reverse', 'top', 'bottom', 'placed');
      const bounds = { leftPx: random() * 1_000 - 100, topPx: random() * 600 - 100, widthPx: 20 + random() * 300, heightPx: 10 + random() * 90 };
      const asked = { ...wish(20 + random() ** 3 * 900, motion, among(1, 2, 3, 3, 4, 6)), first: random() < 0.1, bounds };
      const how = { speedPxPerMs: 0.05 + random() * 0.3, standMs: 1_000 + random() * 6_000, leadPx: random() < 0.5 ? 0 : random() * 200 };
      if (lanes.place(asked, nowMs, how)) placed += 1;
      for (const ms of [nowMs, nowMs + random() * 12_000]) {
        const found = overlapping(lanes.boxes, ms);
        assert.equal(found, null, `round ${round}, step ${step}: ${JSON.stringify(found)}`);
      }
    }
    assert.ok(placed > 25, `round ${round}: a stage that shows only ${placed} is too careful`);
  }
});

/** Runs turns at 15 a second, with danmaku at a rate. */
function crowd({ perSecond, secs, size = SIZE, make, seed = 1, still = false }) {
  const admission = new Admission(size);
  admission.still = still;
  const random = seeded(seed);
  const seen = { placed: [], missed: [], all: [] };
  let due = 0;
  for (let nowMs = 0; nowMs < secs * 1_000 + 4_000; nowMs += 66) {
    for (due += nowMs < secs * 1_000 ? perSecond * 0.066 : 0; due >= 1; due -= 1) {
      const ask = make(random, nowMs);
      seen.all.push(ask);
      admission.offer({ ...ask, item: { ...ask, atMs: nowMs } }, nowMs);
    }
    const turn = admission.turn(nowMs);
    seen.placed.push(...turn.placed.map((one) => ({ ...one, nowMs })));
    seen.missed.push(...turn.missed.map((item) => ({ item, nowMs })));
    assert.equal(overlapping(admission.boxes, nowMs), null);
  }
  return seen;
}

const chat = (random) => ({ lane: 'other', motion: random() < 0.08 ? (random() < 0.5 ? 'top' : 'bottom') : 'scroll', widthPx: 50 + random() ** 2 * 300, rows: random() < 0.1 ? 4 : 3 });

test('each danmaku is shown or missed once, and waits for at most a second', () => {
  const seen = crowd({ perSecond: 50, secs: 30, make: chat });
  assert.equal(seen.placed.length + seen.missed.length, seen.all.length);
  for (const { item, nowMs } of seen.placed) assert.ok(nowMs - item.atMs <= 1_066);
  for (const { item, nowMs } of seen.missed) assert.ok(nowMs - item.atMs <= 1_066);
  assert.ok(seen.placed.length > 200, `only ${seen.placed.length} of ${seen.all.length} were shown`);
});

test('a calm room misses no danmaku', () => {
  const seen = crowd({ perSecond: 3, secs: 60, make: chat });
  assert.deepEqual([seen.missed.length, seen.placed.length], [0, seen.all.length]);
});

test('own danmaku always get a lane, and paid ones get lanes before the others', () => {
  const make = (random) => ({ ...chat(random), lane: random() < 0.01 ? 'own' : random() < 0.03 ? 'gift' : 'other' });
  const seen = crowd({ perSecond: 100, secs: 30, make });
  const missed = (lane) => seen.missed.filter(({ item }) => item.lane === lane).length;
  assert.equal(missed('own'), 0);
  const share = (lane) => missed(lane) / seen.all.filter((ask) => ask.lane === lane).length;
  assert.ok(share('gift') <= 0.05, `${missed('gift')} paid ones were missed`);
  assert.ok(share('other') > 0.5, 'the room was full');
});

test('a standing danmaku that finds no place scrolls instead', () => {
  const seen = crowd({ perSecond: 6, secs: 10, make: () => ({ lane: 'other', motion: 'top', widthPx: 200, rows: 3 }) });
  assert.ok(seen.placed.some((one) => one.motion === 'scroll'));
  assert.ok(seen.placed.some((one) => one.motion === 'top'));
});

test('with reduced motion all danmaku stand', () => {
  const seen = crowd({ perSecond: 20, secs: 10, make: chat, still: true });
  assert.ok(seen.placed.length > 0);
  assert.ok(seen.placed.every((one) => one.motion !== 'scroll' && one.box.speedPxPerMs === 0));
});

test('a full queue misses the newest danmaku of the lowest class', () => {
  const admission = new Admission({ ...SIZE, heightPx: 0 });
  for (let n = 0; n < 100; n += 1) admission.offer({ lane: n === 99 ? 'own' : 'other', motion: 'scroll', widthPx: 10, rows: 3, item: n }, 0);
  const { missed } = admission.turn(0);
  assert.equal(missed.length, 36);
  assert.ok(!missed.includes(99) && !missed.includes(0));
});

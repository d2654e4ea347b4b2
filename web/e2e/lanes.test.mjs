// The lanes and the queue in front of them without a browser: no two danmaku overlap at any time.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { modules, seeded } from './modules.mjs';

let page;
let Lanes;
let leftAt;
let Admission;

before(async () => {
  page = await modules();
  ({ Lanes, leftAt } = await page.load('packages/stage/src/lanes.ts'));
  ({ Admission } = await page.load('packages/stage/src/admission.ts'));
});
after(() => page?.close());

const SIZE = { widthPx: 1_000, heightPx: 500, rowPx: 12 };
const HOW = { speedPxPerMs: 0.1, standMs: 5_000 };
const wish = (widthPx, motion = 'scroll', rows = 3) => ({ motion, widthPx, rows });

/** Returns two boxes that overlap at this time, or null. */
function overlapping(boxes, nowMs) {
  const shown = boxes.filter((box) => box.startMs <= nowMs && nowMs < box.endMs);
  for (const [index, a] of shown.entries()) {
    for (const b of shown.slice(index + 1)) {
      const across = Math.min(leftAt(a, nowMs) + a.widthPx, leftAt(b, nowMs) + b.widthPx) - Math.max(leftAt(a, nowMs), leftAt(b, nowMs));
      const down = Math.min(a.topPx + a.heightPx, b.topPx + b.heightPx) - Math.max(a.topPx, b.topPx);
      if (across > 1e-6 && down > 1e-6) return [a, b];
    }
  }
  return null;
}

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

test('no two danmaku overlap, at any sizes, speeds, times and sizes of the stage', () => {
  for (let round = 0; round < 60; round += 1) {
    const random = seeded(round);
    const among = (...of) => of[Math.floor(random() * of.length)];
    const lanes = new Lanes(SIZE);
    const all = [];
    let nowMs = 0;
    let placed = 0;
    for (let step = 0; step < 300; step += 1) {
      nowMs += random() * 120;
      lanes.expire(nowMs);
      if (random() < 0.03) lanes.resize({ widthPx: 200 + random() * 1_200, heightPx: 60 + random() * 600, rowPx: among(10, 12) });
      const box = lanes.place(wish(20 + random() ** 3 * 900, among('scroll', 'scroll', 'scroll', 'top', 'bottom'), among(2, 3, 3, 4, 6)), nowMs, {
        speedPxPerMs: 0.05 + random() * 0.3,
        standMs: 1_000 + random() * 6_000,
        leadPx: random() < 0.5 ? 0 : random() * 200,
      });
      if (box) {
        all.push(box);
        placed += 1;
      }
      for (const ms of [nowMs, nowMs + random() * 12_000]) {
        const found = overlapping(all, ms);
        assert.equal(found, null, `round ${round}, step ${step}: ${JSON.stringify(found)}`);
      }
    }
    assert.ok(placed > 30, `a stage that shows only ${placed} is too careful`);
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

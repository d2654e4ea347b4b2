// Danmaku that wait and fly, without a browser: each message is counted once, and no two danmaku meet.

import assert from 'node:assert/strict';
import { test } from 'vitest';
import { clean } from '../src/danmaku.ts';
import { Flights } from '../src/flights.ts';
import { changed, DEFAULTS } from '../src/settings.ts';
import { overlapping, Recorder, seeded } from './boxes.mjs';

const TURN_MS = 66;

function stage(settings = {}) {
  const painter = new Recorder();
  const flights = new Flights({ measure: (text, font) => text.length * Number(/(\d+)px/.exec(font)[1]), painterOf: () => painter });
  flights.set(changed(DEFAULTS, settings));
  flights.resize(1_000, 500);
  let sequence = 0;
  return {
    painter,
    flights,
    say: (fields, nowMs) => {
      sequence += 1;
      flights.offer(clean({ sequence, user: 'ann', ...fields }), 'sans-serif', nowMs);
      return sequence;
    },
    texts: () => [...painter.shown].map(({ danmaku, count }) => (count > 1 ? `${danmaku.text} x${count}` : danmaku.text)),
  };
}

function sum({ shown, merged, missed, filtered, unseen, withdrawn, waiting }) {
  return shown + merged + missed + filtered + unseen + withdrawn + waiting;
}

test('equal texts are one danmaku with a number, which falls when one of them is recalled', () => {
  const { flights, say, texts } = stage();
  const first = say({ text: '哈哈' }, 0);
  say({ text: ' 哈哈 ', user: 'bo' }, 0);
  flights.turn(0);
  assert.deepEqual(texts(), ['哈哈 x2']);
  say({ text: '哈哈', user: 'cy' }, 500);
  assert.deepEqual(texts(), ['哈哈 x3']);
  flights.remove(({ sequence }) => sequence === first);
  assert.deepEqual(texts(), ['哈哈 x2']);
  flights.remove(({ user }) => user !== 'cy');
  flights.remove(({ user }) => user === 'cy');
  assert.deepEqual(texts(), []);
  assert.deepEqual([flights.counts.offered, flights.counts.shown, flights.counts.merged], [3, 1, 2]);
});

test('a danmaku without space for a number leaves it to a new one', () => {
  const { flights, say, texts } = stage({ area: 0.1 });
  // The third danmaku starts nearer to the edge than the second one.
  const before = say({ text: 'before' }, 0);
  flights.turn(0);
  flights.remove(({ sequence }) => sequence === before);
  say({ text: 'aa' }, 0);
  flights.turn(0);
  const [first] = flights.flying;
  const speed = first.box.speedPxPerMs;
  // The next one is right behind it.
  const behindMs = (first.box.leftPx - 1_000 + first.box.widthPx + 21) / speed;
  say({ text: 'b' }, behindMs);
  flights.turn(behindMs);
  say({ text: 'aa', user: 'bo' }, behindMs + 66);
  for (let nowMs = behindMs + 66; nowMs < behindMs + 900; nowMs += TURN_MS) flights.turn(nowMs);
  assert.deepEqual(texts().sort(), ['aa', 'aa x2', 'b']);
});

test('own, paid and placed danmaku are not merged, and neither is any without the setting', () => {
  const { flights, say, texts } = stage();
  for (const lane of ['own', 'gift', 'moderator', 'other']) say({ text: 'gg', lane }, 0);
  flights.turn(0);
  assert.deepEqual(texts(), ['gg', 'gg', 'gg', 'gg']);
  const off = stage({ merge: false });
  off.say({ text: 'gg' }, 0);
  off.say({ text: 'gg' }, 0);
  off.flights.turn(0);
  assert.deepEqual(off.texts(), ['gg', 'gg']);
});

test('recall and purge take waiting and flying danmaku, and their lanes are free at once', () => {
  const { flights, say, texts } = stage({ area: 0.1 });
  const flying = say({ text: 'flies' }, 0);
  flights.turn(0);
  say({ text: 'waits', user: 'bo' }, 1);
  flights.remove(({ user }) => user === 'bo');
  flights.remove(({ sequence }) => sequence === flying);
  assert.deepEqual(texts(), []);
  say({ text: 'next' }, 2);
  flights.turn(2);
  assert.deepEqual(texts(), ['next']);
  assert.equal(flights.counts.withdrawn, 1);
});

test('settings hide modes, words and users at once, and never own danmaku', () => {
  const { flights, say, texts } = stage();
  say({ text: 'top', mode: 'top' }, 0);
  say({ text: 'Spoiler!' }, 0);
  say({ text: 'of bo', user: 'bo' }, 0);
  say({ text: 'my spoiler', lane: 'own' }, 0);
  say({ text: 'stays' }, 0);
  flights.turn(0);
  assert.equal(texts().length, 5);
  flights.set(changed(DEFAULTS, { modes: ['scroll'], words: ['SPOILER'], users: ['bo'] }));
  assert.deepEqual(texts(), ['my spoiler', 'stays']);
  say({ text: 'a spoiler' }, 1);
  assert.equal(flights.counts.filtered, 1);
});

test('fewer danmaku of others are shown with a lower density and while the page is late', () => {
  const shown = (settings, share) => {
    const { flights, say } = stage({ merge: false, ...settings });
    flights.limit(share, false);
    for (let nowMs = 0; nowMs < 8_000; nowMs += TURN_MS) {
      for (let n = 0; n < 4; n += 1) say({ text: 'a danmaku' }, nowMs);
      flights.turn(nowMs);
    }
    return flights.counts.shown;
  };
  const full = shown({}, 1);
  assert.ok(shown({ density: 0.1 }, 1) < full * 0.6);
  assert.ok(shown({}, 0.4) < full * 0.9);
});

test('what flies at a moment is computed without counts, and the danmaku stay where they were going', () => {
  const { flights, say, painter } = stage();
  say({ text: 'old' }, 0);
  flights.turn(0);
  const before = flights.counts;
  flights.compute(() => {
    for (let nowMs = 0; nowMs <= 20_000; nowMs += 100) {
      if (nowMs % 1_000 === 0) say({ text: `at ${nowMs}` }, nowMs);
      flights.turn(nowMs);
    }
  });
  const texts = [...painter.shown].map(({ danmaku }) => danmaku.text);
  assert.ok(texts.includes('at 19000') && texts.includes('at 13000') && !texts.includes('at 5000') && !texts.includes('old'));
  assert.ok([...painter.shown].every(({ box }) => box.endMs > 20_000));
  assert.deepEqual(flights.counts, { ...before });
});

test('each message is in exactly one count, and no two danmaku meet, whatever happens', () => {
  let merged = 0;
  for (let round = 0; round < 25; round += 1) {
    const random = seeded(round);
    const among = (...of) => of[Math.floor(random() * of.length)];
    const { flights, say, painter } = stage();
    for (let nowMs = 0; nowMs < 15_000; nowMs += TURN_MS) {
      for (let n = random() * 5; n >= 1; n -= 1) {
        const place = { x: random(), y: random(), toX: random(), durationMs: 500 + random() * 4_000, rotateDeg: random() * 360 };
        const text = among('哈哈', '666', 'gg', 'x'.repeat(1 + random() * 80));
        say({ text, user: `u${Math.floor(random() * 9)}`, mode: among('scroll', 'scroll', 'reverse', 'top', 'bottom', 'placed'), place, size: among('small', 'normal', 'large', 0.5 + random() * 2), lane: among('other', 'other', 'other', 'own', 'gift', 'moderator') }, nowMs);
      }
      if (random() < 0.02) flights.remove(({ user }) => user === `u${Math.floor(random() * 9)}`);
      if (random() < 0.02) flights.remove(({ sequence }) => sequence % 7 === 0);
      if (random() < 0.02) flights.set(changed(DEFAULTS, { size: 0.5 + random(), speed: 0.5 + random() * 2, area: random(), merge: random() < 0.8, words: random() < 0.3 ? ['666'] : [] }));
      if (random() < 0.02) flights.resize(200 + random() * 1_200, 80 + random() * 600);
      if (random() < 0.005) flights.clear();
      if (random() < 0.005) flights.forgetWaiting();
      flights.limit(0.4 + random() * 0.6, random() < 0.1);
      flights.turn(nowMs);
      assert.equal(sum(flights.counts), flights.counts.offered, `round ${round} at ${nowMs}: ${JSON.stringify(flights.counts)}`);
      assert.equal(overlapping([...flights.flying].map(({ box }) => box), nowMs + random() * 5_000), null, `round ${round} at ${nowMs}`);
      assert.deepEqual(new Set(flights.flying), painter.shown);
    }
    assert.ok(flights.counts.shown > 30, `round ${round}: ${JSON.stringify(flights.counts)}`);
    merged += flights.counts.merged;
  }
  assert.ok(merged > 100);
});

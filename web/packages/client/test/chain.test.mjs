// The chain without a browser: it delivers each message once and in order, although batches are lost,
// repeated or reordered.

import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { test } from 'vitest';
import { Chain } from '../src/protocol/chain.ts';

const hello = (sequence, resume = false) => ({ type: 'hello', sequence, resume });
const message = (sequence) => ({ sequence, class: 'gift', body: { id: `m${sequence}` } });

function batch(previous, sequence, extra = {}) {
  const messages = [];
  for (let s = previous + 1; s <= sequence; s += 1) messages.push(message(s));
  return { type: 'batch', previous, sequence, messages, ...extra };
}
const answer = (range) => batch(range.after, range.before - 1, { repair: { outcome: 'complete', skipped: 0 } });
const sequences = (step) => step.messages.map((one) => one.sequence);

test('the chain asks for a gap once, and later batches wait for it', () => {
  const chain = new Chain();
  chain.hello(hello(10));
  assert.deepEqual(sequences(chain.accept(batch(10, 12))), [11, 12]);
  const step = chain.accept(batch(14, 15));
  assert.deepEqual(sequences(step), []);
  assert.deepEqual(step.repair, { after: 12, before: 15 });
  assert.equal(chain.accept(batch(15, 16)).repair, null, 'the chain asks once');
  assert.deepEqual(sequences(chain.accept(answer(step.repair))), [13, 14, 15, 16]);
  assert.equal(chain.waiting, false);
});

test('the rest of a repair that was cut short is asked for', () => {
  const chain = new Chain();
  chain.hello(hello(0));
  assert.deepEqual(chain.accept(batch(10, 11)).repair, { after: 0, before: 11 });
  const repair = { outcome: 'complete', skipped: 0 };
  assert.deepEqual(chain.accept(batch(0, 4, { repair })).repair, { after: 4, before: 11 });
  assert.equal(chain.accept(batch(4, 4, { repair })).repair, null, 'an answer without progress is not asked again');
  assert.deepEqual(sequences(chain.accept(batch(4, 10, { repair }))), [5, 6, 7, 8, 9, 10, 11]);
  assert.equal(chain.waiting, false);
});

test('repeated messages are ignored', () => {
  const chain = new Chain();
  chain.hello(hello(0));
  assert.deepEqual(sequences(chain.accept(batch(0, 3))), [1, 2, 3]);
  assert.deepEqual(sequences(chain.accept(batch(0, 3))), []);
  assert.deepEqual(sequences(chain.accept(batch(2, 4))), [4]);
});

test('a batch with only a pulse delivers nothing, and can show a gap', () => {
  const chain = new Chain();
  chain.hello(hello(5));
  assert.equal(chain.accept(batch(5, 5, { pulse: { likes: 1 } })).repair, null);
  assert.deepEqual(chain.accept(batch(7, 7)).repair, { after: 5, before: 8 });
});

test('live batches wait until all batches of a resume have come', () => {
  const chain = new Chain();
  chain.hello(hello(5));
  chain.hello(hello(9, true));
  assert.equal(chain.accept(batch(9, 10)).repair, null, 'the resume is not complete');
  const repair = { outcome: 'complete', skipped: 0 };
  assert.deepEqual(sequences(chain.accept(batch(5, 7, { repair }))), [6, 7]);
  assert.deepEqual(sequences(chain.accept(batch(7, 9, { repair }))), [8, 9, 10]);
});

test('a server whose chain is behind is followed, and no message is delivered twice', () => {
  const chain = new Chain();
  chain.hello(hello(0));
  chain.accept(batch(0, 8));
  chain.hello(hello(6, true));
  assert.deepEqual(sequences(chain.accept(batch(6, 9))), [9]);
});

test('a chat with its id and the same one as a line are one message, and a new chain has others', () => {
  const chat = (sequence, at_ms, more = {}) => ({ sequence, class: 'chat', body: { type: 'chat', at_ms, ...more } });
  const chain = new Chain();
  chain.hello(hello(0));
  const first = [chat(1, 10, { id: 'a' }), chat(2, 20, { id: 'b' }), chat(3, 30)];
  assert.deepEqual(sequences(chain.accept({ ...batch(0, 3), messages: first })), [1, 2, 3]);
  chain.hello(hello(0, true));
  // The server began anew, but for its first message.
  const again = [chat(1, 10), chat(2, 70), chat(3, 80)];
  assert.deepEqual(sequences(chain.accept({ ...batch(0, 3), messages: again })), [2, 3]);
});

test('a gap that the server cannot fill is skipped and reported', () => {
  const chain = new Chain();
  chain.hello(hello(1));
  chain.accept(batch(4, 5));
  const step = chain.skip();
  assert.deepEqual(sequences(step), [5]);
  assert.equal(step.gone, true);
});

test('too many batches behind a gap end the connection', () => {
  const chain = new Chain();
  chain.hello(hello(1));
  let step;
  for (let s = 10; s < 300; s += 1) step = chain.accept(batch(s, s + 1));
  assert.equal(step.overflow, true);
});

test('after any loss, repetition and reordering each message is delivered once, in order', () => {
  let seed = 42;
  const random = () => {
    seed = (Math.imul(seed, 1_103_515_245) + 12_345) >>> 0;
    return (seed >>> 8) / 2 ** 24;
  };
  for (let round = 0; round < 200; round += 1) {
    const chain = new Chain();
    chain.hello(hello(0));
    const seen = [];
    const take = (step) => {
      seen.push(...sequences(step));
      if (step.repair) take(chain.accept(answer(step.repair)));
    };
    const sent = [];
    for (let s = 0; s < 60; s += 3) sent.push(batch(s, s + 3));
    for (const one of sent.filter(() => random() > 0.2).flatMap((b) => (random() > 0.8 ? [b, b] : [b])).sort(() => random() - 0.7)) take(chain.accept(one));
    take(chain.accept(batch(60, 61)));
    assert.deepEqual(seen, Array.from({ length: 61 }, (_, n) => n + 1));
  }
});

test('the whole log is delivered once and in order by the scripts that the Rust client shares', async () => {
  const file = new URL('../../../../services/client/vectors/chain.json', import.meta.url);
  const { cases } = JSON.parse(await readFile(file, 'utf8'));
  assert.ok(cases.length >= 40);
  for (const { name, log, events } of cases) {
    const chain = new Chain();
    const delivered = [];
    let asks = [];
    const take = (step) => {
      delivered.push(...sequences(step));
      if (step.repair) asks.push(step.repair);
      return step;
    };
    const of = (previous, sequence, extra = {}) => {
      const inside = log.filter((at) => at > previous && at <= sequence);
      return { type: 'batch', previous, sequence, messages: inside.map(message), ...extra };
    };
    const reply = (after, before, most) => {
      const inside = log.filter((at) => at > after && at < before);
      const end = inside.length > most ? inside[most - 1] : Math.max(Math.min(log.at(-1), before - 1), after);
      take(chain.accept(of(after, end, { repair: { outcome: 'complete', skipped: 0 } })));
      return end;
    };
    take(chain.hello(hello(0)));
    for (const [kind, first, second] of events) {
      if (kind === 'batch') {
        take(chain.accept(of(first, second)));
      } else if (kind === 'answer') {
        const ask = asks.shift();
        if (ask) reply(ask.after, ask.before, first);
      } else {
        asks = [];
        take(chain.hello(hello(first, true)));
        for (let after = chain.last; after < first; ) after = reply(after, first + 1, second);
      }
    }
    for (let ask = asks.shift(); ask; ask = asks.shift()) reply(ask.after, ask.before, Infinity);
    assert.deepEqual(delivered, log, name);
    assert.equal(chain.waiting, false, name);
  }
});

// Parts of the page without a browser: settings of any origin, the ring of the newest entries, tiers.

import { expect, test } from 'vitest';
import { heldKey, message } from '../log/entry.ts';
import { Ring } from '../log/ring.ts';
import { Senders } from '../log/senders.ts';
import { colorsOf, tierOf, topSecsOf } from '../money/tiers.ts';
import { safeImage } from '../page/images.ts';
import { defaults, Kept, readSettings } from '../settings/settings.ts';
import { countdown, waits } from '../compose/waits.ts';

test('damaged settings become the default', () => {
  for (const forged of [null, 7, 'x', [], { opacity: 'NaN', area: 33, modes: 7, words: 'x', users: [null, 7, {}], theme: '<b>' }]) {
    expect(readSettings(forged)).toEqual(defaults());
  }
  const read = readSettings({ opacity: -5, speed: 1e9, size: Infinity, words: Array.from({ length: 999 }, (_, n) => `w${n}`), modes: { top: false, __proto__: null } });
  expect([read.opacity, read.speed, read.size, read.words.length, read.modes.top, read.modes.scroll]).toEqual([10, 200, 100, 200, false, true]);
});

test('blocked words are found in any case and width, and blocked users by their id', () => {
  const kept = new Kept();
  kept.addWord('  ＳＰＯＩＬＥＲ ');
  kept.addWord('');
  kept.block('u1', 'Ann');
  expect(kept.now.words).toEqual(['spoiler']);
  expect([kept.hides('u2', 'No Spoilers'), kept.hides('u2', 'fine'), kept.hides('u1', 'fine')]).toEqual([true, false, true]);
  kept.unblock('u1');
  expect(kept.hides('u1', 'fine')).toBe(false);
});

const said = (sequence) => message({ type: 'chat', id: `m${sequence}`, user: 'u', name: 'n', text: 't', at_ms: 0, style: {} }, sequence, 'other');
const sequences = (entries) => entries?.map(({ sequence }) => sequence ?? null);

test('the ring knows what follows a position, or that something may be missing', () => {
  const ring = new Ring(3);
  for (const n of [4, 5, 6]) ring.push(said(n));
  ring.push({ kind: 'note', key: 'cleared', values: {} });
  expect(sequences(ring.entries)).toEqual([5, 6, null]);
  expect(sequences(ring.after(5))).toEqual([6, null]);
  expect(sequences(ring.after(6))).toEqual([null]);
  expect(ring.after(4)).toBeNull();
  ring.prepend([said(3), said(4)]);
  expect(sequences(ring.entries), 'it is full').toEqual([5, 6, null]);
});

test('senders are bounded, and of equal names the latest is meant', () => {
  const senders = new Senders();
  for (let n = 0; n < 600; n += 1) senders.saw(`u${n}`, n % 2 ? 'Odd' : 'Even', n);
  expect(senders.get('u99')).toBeNull();
  expect(senders.find('odd').user).toBe('u599');
  expect(senders.beginning('e', 2).map(({ user }) => user)).toEqual(['u598', 'u596']);
  expect(senders.find('__proto__')).toBeNull();
});

test('tiers follow the amount, and the server goes before the page', () => {
  const yuan = (amount) => ({ amount_minor: amount * 100, currency: 'CNY' });
  expect([1, 30, 60, 120, 300, 600].map((amount) => tierOf(yuan(amount)))).toEqual([0, 1, 2, 3, 4, 5]);
  expect(tierOf({ amount_minor: 500, currency: 'JPY' })).toBe(1);
  expect(tierOf({ amount_minor: 500, currency: '__proto__' })).toBe(1);
  const server = { ...yuan(1), tier: { level: 9, color: 0xffff00, top_secs: 7 } };
  expect([tierOf(server), topSecsOf(server), colorsOf(server)]).toEqual([9, 7, { back: '#ffff00', text: '#0b0e15' }]);
  expect(colorsOf({ ...yuan(1), tier: { level: 1, color: 0x101080, top_secs: 0 } }).text).toBe('#ffffff');
});

test('images come from https or from the own host', () => {
  const bad = ['http://a/x.png', '//evil.example/x', '/\\evil.example', '\\\\evil', 'javascript:alert(1)', 'data:image/png;base64,x', ' /x', '/a\nb', 'x'.repeat(600), 7, null];
  expect(bad.map(safeImage)).toEqual(bad.map(() => null));
  expect(['/badges/vip.png', 'https://cdn.example/a.png'].map(safeImage)).toEqual(['/badges/vip.png', 'https://cdn.example/a.png']);
});

test('long waits count in minutes, and one text may wait alone', () => {
  expect(countdown(99)).toEqual({ key: 'countdown', values: { secs: 99 } });
  expect(countdown(605)).toEqual({ key: 'waitLong', values: { minutes: 10, secs: '05' } });
  expect([waits(null, 'a'), waits({ key: 'repeated', untilMs: 1, text: 'a' }, 'a'), waits({ key: 'repeated', untilMs: 1, text: 'a' }, 'b')]).toEqual([false, true, false]);
});

test('each rule that holds a message has its reason', () => {
  expect(['room_display_chat_per_s', 'moderation:review_full', 'switch:hold-chat', 'moderation:words', undefined].map(heldKey)).toEqual(['heldCrowded', 'heldReviewFull', 'heldSwitch', 'heldRule', 'heldRule']);
});

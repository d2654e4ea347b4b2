// Decisions about media: what follows a refusal, which form a place needs, how much is loaded ahead, and placeholders.

import assert from 'node:assert/strict';
import { test } from 'vitest';
import { addressEndsMs, Addresses, chooseVariant, chunkBytesOf, networkOf, preloadBytesOf, readThumbhash } from '../src/media.ts';
import { decide } from '../src/media/decide.ts';
import { KeptUploads } from '../src/media/kept.ts';
import { Pace } from '../src/media/pace.ts';
import { mayScale, scaledSize } from '../src/media/scale.ts';
import { readBody } from '../src/read.ts';

const KIB = 1_024;

const before = { isCreated: true, failures: 1, starts: 1, isRenewed: false, hosts: 1 };
for (const [name, refusal, progress, step] of [
  ['silence continues', { status: 0, code: 'network' }, {}, { kind: 'again', waitMs: 0 }],
  ['a wait of the server is kept', { status: 503, code: 'draining', waitMs: 900 }, {}, { kind: 'again', waitMs: 900 }],
  ['a long wait ends', { status: 429, code: 'rate_limited', waitMs: 60_001 }, {}, { kind: 'end' }],
  ['an older request of the same upload continues', { status: 409, code: 'conflict' }, {}, { kind: 'again', waitMs: 0 }],
  ['a changed piece is sent again', { status: 460, code: 'digest_mismatch' }, {}, { kind: 'again', waitMs: 0 }],
  ['a lost upload begins anew', { status: 404, code: 'not_found' }, {}, { kind: 'anew', waitMs: 0 }],
  ['an expired upload begins anew', { status: 410, code: 'upload_expired' }, { starts: 2 }, { kind: 'anew', waitMs: 0 }],
  ['an upload that is lost each time ends', { status: 404, code: 'not_found' }, { starts: 3 }, { kind: 'end' }],
  ['no route of uploads ends', { status: 404, code: 'not_found' }, { isCreated: false }, { kind: 'end' }],
  ['a creation goes to the next host', { status: 0, code: 'network' }, { isCreated: false, hosts: 2 }, { kind: 'anew', waitMs: 0 }],
  ['a host that fails often is left', { status: 0, code: 'network' }, { failures: 6, hosts: 2 }, { kind: 'anew', waitMs: 0 }],
  ['the only host is not left', { status: 0, code: 'network' }, { failures: 6 }, { kind: 'again', waitMs: 0 }],
  ['a token is renewed', { status: 401, code: 'token_expired' }, {}, { kind: 'renew' }],
  ['a token is renewed once', { status: 401, code: 'token_expired' }, { isRenewed: true }, { kind: 'end' }],
  ['a file that cannot be read ends', { status: 0, code: 'file' }, {}, { kind: 'end' }],
  ['a type that is not taken ends', { status: 415, code: 'unsupported_media' }, {}, { kind: 'end' }],
  ['too many failures end', { status: 0, code: 'network' }, { failures: 12 }, { kind: 'end' }],
]) {
  test(`refusals of media hosts: ${name}`, () => {
    assert.deepEqual(decide({ kind: 'refused', message: '', waitMs: null, ...refusal }, { ...before, ...progress }), step);
  });
}

const forms = (...names) => names.map((name) => ({ name, media_type: 'image/webp', length: 1, url: '' }));
test('a place gets the smallest form that fills it', () => {
  const still = { is_animated: false, variants: forms('96', '480', '1280') };
  const choose = (wanted, medium = still) => chooseVariant(medium, wanted)?.name ?? null;
  assert.equal(choose({ side: 100 }), '96', 'a little less is not seen');
  assert.equal(choose({ side: 100, density: 2 }), '480');
  assert.equal(choose({ side: 100, density: 2, saveData: true }), '96');
  assert.equal(choose({ side: 240, density: 3 }), '480', 'no eye sees a density of three');
  assert.equal(choose({ side: 5_000 }), '1280');
  assert.equal(choose({ side: 500 }, { is_animated: false, variants: forms('96') }), '96');
  const cover = (side) => `cover-${'0f'.repeat(32)}-${side}`;
  const clip = { is_animated: false, variants: forms(cover(96), cover(480), 'original') };
  assert.deepEqual([choose({ side: 48 }, clip), choose({ side: 240 }, clip)], [cover(96), cover(480)], 'the cover of a clip');
  const moving = { is_animated: true, variants: forms('96', '480', 'original') };
  assert.deepEqual([choose({ side: 100 }, moving), choose({ side: 100, moves: false }, moving), choose({ side: 100, saveData: true }, moving)], ['original', '96', '96']);
  assert.deepEqual([choose({ side: 9 }, { is_animated: false, variants: [] }), choose({ side: 9 }, { is_animated: false, variants: forms('original') })], [null, 'original']);
});

test('an address names its end, and a public one has none', () => {
  assert.equal(addressEndsMs('https://m.example/v1/media/00/480?e=7200&k=1&s=e'), 7_200_000);
  assert.equal(addressEndsMs('/v1/media/00/480?k=1&s=2'), null);
});

test('bytes ahead: three seconds or 512 KB on a good network, none else', () => {
  const [good, slow] = [{ saveData: false, speed: 'good' }, { saveData: false, speed: 'slow' }];
  assert.equal(preloadBytesOf(10 << 20, null, good), 512 * KIB);
  assert.equal(preloadBytesOf(1_000_000, 30, good), 100_000);
  assert.equal(preloadBytesOf(100_000_000, 30, good), 512 * KIB);
  assert.equal(preloadBytesOf(1_000, null, good), 1_000);
  assert.deepEqual([preloadBytesOf(1_000, null, slow), preloadBytesOf(1_000, null, { ...good, saveData: true }), preloadBytesOf(Number.NaN, 1, good)], [0, 0, 0]);
});

test('a piece has the advised bytes, else those of the network', () => {
  const bytes = (connection, advice) => chunkBytesOf(networkOf(connection && { connection }), advice);
  assert.deepEqual([bytes(undefined), bytes({ effectiveType: '4g', type: 'ethernet' }), bytes({ effectiveType: '3g' })], [1_024 * KIB, 2_048 * KIB, 256 * KIB]);
  assert.deepEqual([bytes({ effectiveType: '3g' }, 512 * KIB), bytes(undefined, 7), bytes(undefined, 2 ** 40)], [512 * KIB, 1_024 * KIB, 16 << 20]);
  assert.equal(networkOf({ connection: { saveData: true } }).saveData, true);
});

test('pieces grow on a quick network and shrink behind a failure', () => {
  const pace = new Pace(() => 1_024 * KIB);
  pace.sent(pace.bytes, 2_000);
  const seen = [pace.bytes];
  for (const ms of [100, 100, 100, 5_000]) {
    pace.sent(pace.bytes, ms);
    seen.push(pace.bytes);
  }
  assert.deepEqual(seen.map((bytes) => bytes / KIB), [256, 512, 1_024, 1_024, 1_024]);
  assert.equal(pace.waitMs, 30_000 + 20_000, 'four times the time of the last piece, and half a minute');
  for (let failure = 0; failure < 9; failure += 1) pace.failed();
  assert.equal(pace.bytes, 64 * KIB);
});

test('unfinished uploads are bounded, and expired ones are forgotten', () => {
  const stored = new Map();
  const storage = { getItem: (key) => stored.get(key) ?? null, setItem: (key, value) => void stored.set(key, value), removeItem: () => undefined };
  let now = 0;
  const kept = new KeptUploads(storage, () => now);
  for (let at = 1; at <= 40; at += 1) kept.keep(`file ${at}`, { url: `u${at}`, expiresMs: at * 1_000 });
  assert.deepEqual([kept.find('file 40')?.url, kept.find('file 9')?.url, kept.find('file 8')], ['u40', 'u9', null]);
  now = 39_000;
  assert.deepEqual([kept.find('file 39'), kept.find('file 40')?.url], [null, 'u40']);
  kept.forget('file 40');
  assert.equal(kept.find('file 40'), null);
  for (const bad of ['no json', 'null', '[1]', '{"a":null}', '{"a":{"url":1,"expiresMs":99999}}', 'x'.repeat(70_000)]) {
    stored.set('barrage.uploads', bad);
    assert.equal(kept.find('a'), null, bad.slice(0, 20));
  }
});

test('pictures are scaled where that pays', () => {
  assert.deepEqual(scaledSize(4_000, 3_000), { width: 1_920, height: 1_440 });
  assert.deepEqual(scaledSize(800, 20), { width: 800, height: 20 });
  assert.deepEqual(scaledSize(40_000, 2), { width: 1_920, height: 1 });
  const may = (type, size) => mayScale({ type, size });
  assert.deepEqual([may('image/jpeg', 4 << 20), may('image/jpeg', 100 * KIB), may('image/heic', 100 * KIB)], [true, false, true]);
  assert.deepEqual([may('image/gif', 4 << 20), may('image/svg+xml', 4 << 20), may('video/mp4', 4 << 20), may('image/png', 60 << 20)], [false, false, false, false]);
});

test('addresses that end are renewed together, once, and only when they are needed', async () => {
  const asked = [];
  let now = 0;
  const medium = (digest, ends) => ({ digest, kind: 'image', is_animated: false, variants: [{ ...forms('96')[0], url: `/v1/media/${digest}/96?e=${ends}&k=1&s=2` }] });
  const addresses = new Addresses(async (digests) => {
    asked.push(digests);
    return digests.filter((digest) => digest !== 'gone').map((digest) => medium(digest, 7_200));
  }, () => now);
  assert.equal((await addresses.of(medium('a', 3_600))).variants[0].url, '/v1/media/a/96?e=3600&k=1&s=2');
  assert.equal(asked.length, 0);
  now = 3_550_000;
  const found = await Promise.all(['a', 'b', 'a', 'gone'].map((digest) => addresses.of(medium(digest, 3_600))));
  assert.deepEqual(asked, [['a', 'b', 'gone']]);
  assert.deepEqual(found.map((one) => one?.variants[0].url ?? null), ['a', 'b', 'a'].map((digest) => `/v1/media/${digest}/96?e=7200&k=1&s=2`).concat([null]));
  await addresses.of(medium('a', 3_600));
  assert.equal(asked.length, 1, 'the new address is kept');
});

// Made by the reference encoder and decoder, thumbhash 0.1.1: size, and pixels as x, y, red, green, blue, alpha.
for (const { name, hash, size, pixels, sum } of [
  { name: 'landscape', hash: 'GgoKNZpwd4eAiIiHiHiIh3BwB/iI', size: [32, 23], pixels: [[0, 0, 45, 15, 95, 255], [31, 0, 255, 0, 53, 255], [16, 11, 127, 134, 51, 255], [0, 22, 0, 238, 49, 255], [31, 22, 245, 215, 52, 255]], sum: 419539 },
  { name: 'portrait with alpha', hash: 'mYSGIwxJvUCHeHcwUogIhH+FeIiIeIg=', size: [19, 32], pixels: [[0, 0, 19, 27, 237, 255], [18, 0, 70, 30, 156, 79], [9, 16, 95, 31, 149, 178], [0, 31, 191, 21, 234, 255], [18, 31, 133, 28, 154, 78]], sum: 274220 },
  { name: 'square', hash: 'FzoCLyiHeIcHqGeId4h6d4dniId/ePgH', size: [32, 32], pixels: [[0, 0, 248, 17, 13, 255], [31, 0, 0, 197, 85, 255], [16, 16, 145, 91, 42, 255], [0, 31, 0, 197, 85, 255], [31, 31, 216, 40, 22, 255]], sum: 545567 },
]) {
  test(`a thumbhash is drawn as the reference draws it: ${name}`, () => {
    const { width, height, pixels: drawn } = readThumbhash(hash);
    assert.deepEqual([width, height], size);
    for (const [x, y, ...colour] of pixels) assert.deepEqual([...drawn.slice((y * width + x) * 4, (y * width + x) * 4 + 4)], colour, `${x} ${y}`);
    assert.equal(drawn.reduce((total, value) => total + value, 0), sum);
  });
}

test('a text that is no thumbhash draws nothing', () => {
  for (const bad of ['', '!!', 'AAAA', 'AAAAAAA=', btoa('x'.repeat(65))]) assert.equal(readThumbhash(bad), null, bad);
});

test('a chat has its picture, null for one that was removed, and nothing without one', () => {
  const chat = (more) => readBody({ type: 'chat', user: 'u', text: '', ...more });
  const medium = { digest: 'd', kind: 'image', variants: [] };
  assert.deepEqual(chat({ media: medium }).media, medium);
  assert.deepEqual([chat({ media: null }).media, chat({ media: 'x' }).media, 'media' in chat({})], [null, null, false]);
});

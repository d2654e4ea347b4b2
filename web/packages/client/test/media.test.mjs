// Uploads without a browser and a server: what continues, what begins anew, and what ends.

import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { afterEach, beforeEach, test, vi } from 'vitest';
import { Growing, mediaHosts, openMedia } from '../src/media.ts';
import { json, MediaWorld, refusal } from './media_world.mjs';

/** Bytes of the first piece. */
const PIECE = 256 * 1_024;

beforeEach(() => {
  // Waits have full jitter: none.
  vi.spyOn(Math, 'random').mockReturnValue(0);
});
afterEach(() => {
  vi.restoreAllMocks();
});

const fileOf = (length, seed = 1) => new File([Uint8Array.from({ length }, (_, at) => (at * seed * 7) % 251)], 'clip.mp4', { type: 'video/mp4', lastModified: 5 });
const bytesOf = async (file) => Buffer.from(await file.arrayBuffer());
const offsets = (world) => world.of('PATCH').map(({ headers }) => Number(headers['Upload-Offset']));

test('a file goes in pieces with checksums, and is ready behind its check', async () => {
  const world = new MediaWorld();
  const file = fileOf(3 * PIECE + 10);
  const upload = openMedia(world.options()).upload(file);
  const states = [];
  upload.on('state', (state) => states.push(state));
  const end = await upload.done;
  assert.deepEqual([end.kind, end.reference], ['ready', 'signed']);
  assert.ok([...world.uploads.values()][0].bytes.equals(await bytesOf(file)));
  assert.deepEqual(offsets(world), [0, PIECE, 3 * PIECE], 'a quick piece is followed by a larger one');
  const kinds = states.map(({ kind }) => kind).filter((kind, at, all) => kind !== all[at - 1]);
  assert.deepEqual(kinds, ['sending', 'checking', 'ready']);
  const sent = states.flatMap((state) => (state.kind === 'sending' ? [state.sentBytes] : []));
  assert.deepEqual(sent, [...sent].sort((one, other) => one - other), 'progress only grows');
  const metadata = Object.fromEntries([...world.uploads.values()][0].metadata.split(',').map((pair) => pair.split(' ')));
  assert.equal(atob(metadata.filename), 'clip.mp4');
  assert.equal(atob(metadata.sha256), end.medium.digest);
  assert.equal(world.stored.get('barrage.uploads'), '{}', 'a finished upload is forgotten');
});

test('a cut piece costs no other piece, and the offset decides where the upload continues', async () => {
  const world = new MediaWorld();
  // The server has written the second piece, and the answer is lost.
  world.faults.PATCH = [undefined, new TypeError('cut')];
  const file = fileOf(3 * PIECE);
  const upload = openMedia(world.options({ chunkBytes: PIECE })).upload(file);
  const waits = [];
  upload.on('state', (state) => state.isWaiting && waits.push(state.sentBytes));
  assert.equal((await upload.done).kind, 'ready');
  assert.deepEqual(waits, [PIECE]);
  assert.equal(world.of('HEAD').length, 1);
  assert.deepEqual(offsets(world), [0, PIECE, PIECE, 1.5 * PIECE, 2.5 * PIECE], 'a smaller piece behind a cut, then larger ones again');
  assert.ok([...world.uploads.values()][0].bytes.equals(await bytesOf(file)));
});

test('a piece that arrives changed is sent again', async () => {
  const world = new MediaWorld();
  world.faults.PATCH = [() => refusal(460, 'digest_mismatch')];
  const upload = openMedia(world.options()).upload(fileOf(1_000));
  assert.equal((await upload.done).kind, 'ready');
  assert.deepEqual(offsets(world), [0, 0]);
});

test('after a reload the same file continues, and another one begins anew', async () => {
  const world = new MediaWorld();
  const file = fileOf(2 * PIECE);
  let cut;
  world.faults.PATCH = [undefined, () => new Promise((_, reject) => (cut = reject))];
  const first = openMedia(world.options({ chunkBytes: PIECE })).upload(file);
  await vi.waitFor(() => assert.ok(cut));
  // The page is gone: nothing of it runs on. A new one has the storage alone.
  world.faults.PATCH = [];
  const page = openMedia(world.options({ chunkBytes: PIECE }));
  assert.equal((await page.upload(fileOf(2 * PIECE)).done).kind, 'ready');
  assert.deepEqual(offsets(world), [0, PIECE, PIECE]);
  assert.equal(world.of('POST').filter(({ pathname }) => pathname === '/v1/uploads').length, 1);
  await page.upload(fileOf(2 * PIECE, 3)).done;
  assert.equal(world.uploads.size, 2);
  world.uploads.clear();
  cut(new TypeError('cut'));
  first.cancel();
  assert.equal((await first.done).kind, 'cancelled');
});

test('an upload that the server has lost begins anew', async () => {
  const world = new MediaWorld();
  world.faults.PATCH = [undefined, () => (world.uploads.clear(), refusal(503, 'draining', { retry_after_ms: 1 }))];
  const file = fileOf(3 * PIECE);
  const end = await openMedia(world.options({ chunkBytes: PIECE })).upload(file).done;
  assert.equal(end.kind, 'ready');
  assert.ok([...world.uploads.values()][0].bytes.equals(await bytesOf(file)));
});

test('a host that does not answer is left for the next one', async () => {
  const world = new MediaWorld();
  world.away.add('m1.example');
  const end = await openMedia(world.options({ hosts: async () => ['https://m1.example/', 'https://m2.example/'] })).upload(fileOf(500)).done;
  assert.equal(end.kind, 'ready');
  assert.deepEqual([...world.uploads.keys()].map((key) => key.split('/')[0]), ['m2.example']);
});

test('an upload that is stuck on its host begins anew on another one', async () => {
  const world = new MediaWorld();
  world.faults.PATCH = [() => (world.away.add('m1.example'), refusal(503, 'unavailable'))];
  const end = await openMedia(world.options({ hosts: ['https://m1.example', 'https://m2.example'] })).upload(fileOf(500)).done;
  assert.equal(end.kind, 'ready');
  assert.deepEqual([...world.uploads.keys()].map((key) => key.split('/')[0]), ['m1.example', 'm2.example']);
});

test('a network that stays away ends the upload, which continues when it is asked for again', async () => {
  const world = new MediaWorld();
  world.faults.PATCH = [undefined, () => (world.away.add('m1.example'), refusal(503, 'unavailable'))];
  const media = openMedia(world.options({ chunkBytes: PIECE }));
  const end = await media.upload(fileOf(2 * PIECE)).done;
  assert.deepEqual([end.kind, end.code], ['refused', 'network']);
  assert.ok(world.requests.length < 20, 'a bounded number of attempts');
  world.away.clear();
  assert.equal((await media.upload(fileOf(2 * PIECE)).done).kind, 'ready');
  assert.deepEqual(offsets(world), [0, PIECE, PIECE], 'the first piece was not sent again');
});

test('a refused token is renewed once', async () => {
  const world = new MediaWorld();
  world.tokens = ['first', 'second'];
  world.accepted = 'second';
  assert.equal((await openMedia(world.options()).upload(fileOf(100)).done).kind, 'ready');
  const other = new MediaWorld();
  Object.assign(other, { tokens: ['first', 'second', 'third'], accepted: 'none of them' });
  const end = await openMedia(other.options()).upload(fileOf(100)).done;
  assert.deepEqual([end.kind, end.code, other.of('POST').length], ['refused', 'unauthorized', 2]);
});

test('a file that the check refuses ends with its sentence, and a limit with its wait', async () => {
  const world = new MediaWorld();
  const media = openMedia(world.options());
  const refused = await media.upload(new File(['please refuse me'], 'a.svg', { type: 'image/svg+xml' })).done;
  assert.deepEqual(refused, { kind: 'refused', code: 'unsupported_media', message: 'this cannot be shown' });
  world.faults.POST = [() => refusal(429, 'rate_limited', { retry_after_ms: 3_600_000 })];
  const limited = await media.upload(fileOf(10)).done;
  assert.deepEqual([limited.code, limited.waitMs], ['rate_limited', 3_600_000]);
  const empty = await media.upload(new File([], 'empty')).done;
  assert.deepEqual([empty.kind, empty.code], ['refused', 'file']);
  const nowhere = await openMedia(world.options({ hosts: [] })).upload(fileOf(10)).done;
  assert.equal(nowhere.code, 'no_media');
});

test('a cancelled upload is removed from the server', async () => {
  const world = new MediaWorld();
  const upload = openMedia(world.options({ chunkBytes: PIECE })).upload(fileOf(3 * PIECE));
  world.faults.PATCH = [undefined, () => (upload.cancel(), new TypeError('aborted'))];
  assert.equal((await upload.done).kind, 'cancelled');
  assert.deepEqual([world.uploads.size, world.of('DELETE').length, world.stored.get('barrage.uploads')], [0, 1, '{}']);
});

test('a file that the user has uploaded before needs no bytes, and a wrong proof needs all', async () => {
  const world = new MediaWorld();
  const file = fileOf(100_000);
  world.owned = [await bytesOf(file)];
  const end = await openMedia(world.options()).upload(file).done;
  assert.deepEqual([end.kind, end.reference, world.of('PATCH').length, world.uploads.size], ['ready', 'signed', 0, 0]);
  const other = await openMedia(world.options()).upload(fileOf(100_000, 3)).done;
  assert.deepEqual([other.kind, world.of('PATCH').length], ['ready', 1]);
  // A challenge for bytes that the file has not is not answered.
  world.faults.POST = [() => json({ state: 'challenge', nonce: '0f'.repeat(16), ranges: [{ start: 99_999, length: 2 }] })];
  const questions = () => world.requests.filter(({ pathname }) => pathname === '/v1/uploads/known').length;
  const before = questions();
  assert.equal((await openMedia(world.options()).upload(file).done).kind, 'ready');
  assert.deepEqual([world.of('PATCH').length, questions() - before], [2, 1]);
});

test('three uploads send at once, and the fourth waits for a place', async () => {
  const world = new MediaWorld();
  const held = [];
  world.faults.PATCH = Array.from({ length: 3 }, () => () => new Promise((resolve) => held.push(() => resolve(refusal(503, 'draining')))));
  const media = openMedia(world.options());
  const uploads = [1, 2, 3, 4].map((seed) => media.upload(fileOf(100, seed)));
  await vi.waitFor(() => assert.equal(held.length, 3));
  assert.equal(world.uploads.size, 3);
  for (const release of held) release();
  const ends = await Promise.all(uploads.map(({ done }) => done));
  assert.deepEqual(ends.map(({ kind }) => kind), ['ready', 'ready', 'ready', 'ready']);
});

test('a reference to what the user may send comes from the first host that answers', async () => {
  const world = new MediaWorld();
  world.owned = [Buffer.from('sticker')];
  world.away.add('m1.example');
  const media = openMedia(world.options({ hosts: ['https://m1.example', 'https://m2.example'] }));
  const digest = createHash('sha256').update('sticker').digest('hex');
  assert.equal((await media.reference(digest)).reference, 'signed again');
  assert.equal(await media.reference('0'.repeat(64)), null);
});

const noteOf = (seed) => fileOf(4_000, seed);

test('a recording goes up while it is recorded, and its end states the length', async () => {
  const world = new MediaWorld();
  const note = new Growing('audio/webm;codecs=opus');
  const upload = openMedia(world.options()).upload(note, { name: 'voice' });
  const parts = [noteOf(1), noteOf(2), noteOf(3)];
  for (const [at, part] of parts.entries()) {
    note.push(part);
    await vi.waitFor(() => assert.deepEqual([...world.uploads.values()].map(({ bytes }) => bytes.length), [4_000 * (at + 1)]));
  }
  const [sent] = world.uploads.values();
  assert.equal(sent.length, null, 'nobody knows the length yet');
  note.end();
  assert.equal((await upload.done).kind, 'ready');
  assert.deepEqual([sent.length, offsets(world)], [12_000, [0, 4_000, 8_000, 12_000]]);
  assert.ok(sent.bytes.equals(Buffer.concat(await Promise.all(parts.map(bytesOf)))));
  assert.equal(world.stored.size, 0, 'a reload cannot continue it');
});

test('a recording begins anew where the server has lost it, and goes at its end where a server wants the length first', async () => {
  const world = new MediaWorld();
  const note = new Growing('audio/webm');
  const upload = openMedia(world.options()).upload(note);
  note.push(noteOf(1));
  await vi.waitFor(() => assert.equal(world.of('PATCH').length, 1));
  world.uploads.clear();
  note.push(noteOf(2));
  note.end();
  assert.equal((await upload.done).kind, 'ready');
  assert.equal([...world.uploads.values()][0].bytes.length, 8_000);
  const old = Object.assign(new MediaWorld(), { defers: false });
  const late = new Growing('audio/webm');
  const waits = openMedia(old.options()).upload(late);
  late.push(noteOf(1));
  await vi.waitFor(() => assert.equal(old.of('POST').length, 1));
  assert.equal(old.uploads.size, 0);
  late.push(noteOf(2));
  late.end();
  assert.equal((await waits.done).kind, 'ready');
  assert.deepEqual([...old.uploads.values()].map(({ length }) => length), [8_000]);
});

test('a cancelled recording is removed from the server, takes no further bytes and keeps nobody waiting for them', async () => {
  const world = new MediaWorld();
  const note = new Growing('audio/webm');
  const upload = openMedia(world.options()).upload(note);
  note.push(noteOf(1));
  await vi.waitFor(() => assert.equal(world.of('PATCH').length, 1));
  upload.cancel();
  note.push(noteOf(2));
  assert.equal((await upload.done).kind, 'cancelled');
  assert.deepEqual([world.uploads.size, note.blob.size], [0, 4_000]);
  await note.changed();
});

test('a clip gets its cover by a reference, and an avatar is set and taken away', async () => {
  const world = new MediaWorld();
  world.owned = [Buffer.from('clip')];
  const digest = createHash('sha256').update('clip').digest('hex');
  const media = openMedia(world.options());
  assert.equal((await media.reference(digest, { cover: 'c0' })).reference, 'signed with c0');
  assert.deepEqual([await media.avatar(digest), await media.avatar(null)], [true, true]);
  assert.deepEqual(world.requests.slice(-2).map(({ method, pathname }) => [method, pathname]), [['POST', '/v1/media/avatars'], ['DELETE', '/v1/media/avatars']]);
});

test('entry names the media hosts, and a page asks the next entry where one is silent', async () => {
  const asked = [];
  const ask = async (url) => {
    asked.push(url);
    if (url.startsWith('https://e1')) throw new TypeError('silent');
    return json({ media: { hosts: ['https://m1.example/', 'javascript:alert(1)', 7, '//m2.example:8082'], piece_bytes: 262_144 } });
  };
  const found = await mediaHosts(['https://e1.example', 'https://e2.example'], 'a room', ask);
  assert.deepEqual(found, { hosts: ['https://m1.example', 'https://m2.example:8082'], pieceBytes: 262_144 });
  assert.deepEqual(asked, ['https://e1.example/v1/entry?room=a%20room&purpose=send', 'https://e2.example/v1/entry?room=a%20room&purpose=send']);
  assert.deepEqual(await mediaHosts(['https://e.example'], 'r', async () => json({})), { hosts: [] });
  await assert.rejects(mediaHosts(['https://e.example'], 'r', async () => refusal(503, 'unavailable')), /503/);
});

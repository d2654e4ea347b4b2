// Clips in a room and in letters: their covers, the press that plays them, and the sentence of a refusal, with the real server
// and its role media.

import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { violations } from './axe.mjs';
import { newContext, open, send } from './browser.mjs';
import { acquaint, openThread, reader } from './letters.mjs';
import { rig } from './rig.mjs';
import { freePorts, Server, until } from './server.mjs';
import { after, before, test } from './suite.mjs';

const site = rig(async () => {
  const [port] = await freePorts();
  return Server.startWith({ MEDIA__LISTEN: JSON.stringify([`127.0.0.1:${port}`]) });
});

let folder;
before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'barrage-clips-'));
});
after(async () => folder && rm(folder, { recursive: true, force: true }));

/** Returns a clip of three seconds, of which the first one and a half are black. */
async function clip(name, ...options) {
  const source = 'color=black:s=640x360:r=10:d=1.5[b];color=0xd02810:s=640x360:r=10:d=1.5[r];[b][r]concat=n=2[v]';
  const path = join(folder, name);
  await promisify(execFile)('ffmpeg', ['-v', 'error', '-y', '-filter_complex', source, '-map', '[v]', '-pix_fmt', 'yuv420p', ...options, path]);
  return { name, mimeType: name.endsWith('webm') ? 'video/webm' : 'video/mp4', buffer: await readFile(path) };
}

async function allow(role) {
  const body = { id: `rule-${Math.random()}`, action: { type: 'speak', rule: { media_role_min: role } } };
  const answer = await site.server.post(await site.server.token('mia', 'moderator'), body, 'demo', 'actions');
  assert.equal(answer.status, 200, JSON.stringify(answer));
}

/** Notes the requests for bytes of clips, without those for covers. */
function asked(page) {
  const paths = [];
  page.on('request', (request) => /\/v1\/media\/.*\/original\?/.test(request.url()) && paths.push(request.url()));
  return paths;
}

/** Returns the colour in the middle of the picture in a box. */
const colour = (box) => box.locator('img').evaluate(async (image) => {
  await image.decode();
  const bitmap = await createImageBitmap(await (await fetch(image.src)).blob());
  const context = new OffscreenCanvas(1, 1).getContext('2d');
  context.drawImage(bitmap, 0, 0, 1, 1);
  return [...context.getImageData(0, 0, 1, 1).data.slice(0, 3)];
});
const isRed = ([red, green, blue]) => red > 150 && green < 90 && blue < 90;

test('a clip has a frame that is not black as its cover, and plays in its place when it is pressed', async () => {
  const { server, browser } = site;
  await allow('viewer');
  const [ann, bob] = [await open(browser, server, { token: await server.token('ann') }), await open(browser, server, { token: await server.token('bob') })];
  const bytes = asked(bob);
  await ann.waitForSelector('#picture-button:not([hidden])');
  await ann.setInputFiles('#picture-file', await clip('a.mp4', '-c:v', 'libx264', '-movflags', '+faststart'));
  await ann.waitForSelector('.attached[data-state=ready]');
  await send(ann, 'the finish');
  const box = bob.locator('#list .row:has-text("the finish") .picture.clip.there');
  await box.waitFor();
  assert.ok(isRed(await colour(box)), String(await colour(box)));
  const size = await box.evaluate((node) => [node.offsetWidth, node.offsetHeight, node.closest('.row').offsetHeight]);
  assert.deepEqual(size.slice(0, 2), [240, 135]);
  assert.equal(await box.getAttribute('aria-label'), 'Play the clip from ann');
  assert.ok(await box.evaluate((node) => {
    const { x, y, width, height } = node.getBoundingClientRect();
    return document.elementFromPoint(x + width / 2, y + height / 2).closest('.clip-sign') !== null;
  }), 'the sign is above the cover');
  assert.deepEqual(await violations(bob, '#list'), []);
  assert.deepEqual(bytes, [], 'no byte of the clip before the press');
  await box.focus();
  await bob.keyboard.press('Enter');
  const video = bob.locator('#list .clip-playing video');
  await until('it plays', () => video.evaluate((node) => node.currentTime > 0.2));
  const played = await video.evaluate((node) => ({ controls: node.controls, preload: node.preload, poster: node.poster.includes('/cover-'), muted: node.muted, size: [node.offsetWidth, node.offsetHeight, node.closest('.row').offsetHeight], label: node.getAttribute('aria-label'), focused: document.activeElement === node }));
  assert.deepEqual(played, { controls: true, preload: 'none', poster: true, muted: false, size, label: 'Clip from ann', focused: true });
  assert.deepEqual(await violations(bob, '#list'), []);
  // The moderators' console shows the cover, and its link leads to the clip.
  const desk = await (await newContext(browser, { viewport: { width: 1500, height: 1000 }, locale: 'en-US' })).newPage();
  await desk.goto(`${server.origin}/moderate/?room=demo#token=${await server.token('mia', 'moderator')}`);
  const link = desk.locator('#chat-list .row:has-text("the finish") a.picture');
  await until('the cover is there', () => link.locator('img').evaluate(({ naturalWidth }) => naturalWidth > 0));
  assert.match(await link.getAttribute('href'), /\/original\?/);
  assert.deepEqual([...ann.faults, ...bob.faults], []);
});

test('a clip with its index at its end is refused with the sentence of the server', async () => {
  const { server, browser } = site;
  await allow('viewer');
  const page = await open(browser, server, { token: await server.token('cat') });
  await page.waitForSelector('#picture-button:not([hidden])');
  await page.setInputFiles('#picture-file', await clip('late.mp4', '-c:v', 'libx264'));
  await page.waitForSelector('.attached[data-state=refused]');
  assert.match(await page.textContent('.attached-words'), /Not accepted: .*fast start/);
  assert.deepEqual(page.faults, []);
});

test('a clip goes by letter as WebM, and its bytes come when its reader presses it', async () => {
  const { server, browser } = site;
  await acquaint(server, 'ivy', 'jon');
  const [ivy, jon] = [await reader(browser, server, 'ivy'), await reader(browser, server, 'jon')];
  const bytes = asked(jon);
  await openThread(jon, 'Ivy');
  await openThread(ivy, 'Jon');
  await ivy.waitForSelector('.letter-box .picture-button');
  await ivy.setInputFiles('.letter-box .picture-file', await clip('b.webm', '-c:v', 'libvpx'));
  await ivy.waitForSelector('.letter-box .attached[data-state=ready]');
  await ivy.press('.letter-text', 'Enter');
  const box = jon.locator('.letter.other .picture.clip.there');
  await box.waitFor();
  assert.ok(isRed(await colour(box)));
  assert.deepEqual(await violations(jon, '.letters'), []);
  assert.deepEqual(bytes, []);
  await box.click();
  await until('it plays', () => jon.locator('.letter video').evaluate((node) => node.currentTime > 0.2));
  await jon.click('.letters-head [aria-label=Back]');
  await jon.waitForSelector('.conversation-words:has-text("[clip]")');
  assert.deepEqual([...ivy.faults, ...jon.faults], []);
});

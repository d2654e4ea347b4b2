// Files and voice notes in letters, with the real server and its role media.

import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { violations } from './axe.mjs';
import { acquaint, openThread, reader } from './letters.mjs';
import { rig } from './rig.mjs';
import { freePorts, Server, until } from './server.mjs';
import { test } from './suite.mjs';

const site = rig(async () => {
  const [port] = await freePorts();
  return Server.startWith({ MEDIA__LISTEN: JSON.stringify([`127.0.0.1:${port}`]) });
});

/** Opens the conversation of two users on both sides. */
async function talk(one, other, options = {}) {
  const { server, browser } = site;
  await acquaint(server, one, other);
  const [left, right] = [await reader(browser, server, one, options), await reader(browser, server, other)];
  const name = (user) => user[0].toUpperCase() + user.slice(1);
  await openThread(right, name(one));
  await openThread(left, name(other));
  await left.waitForSelector('.letter-box .picture-button');
  return [left, right];
}

test('a file has its name and size, is saved under that name, and nothing of it is shown', async () => {
  const [ann, bob] = await talk('ann', 'bob');
  const markup = '<img src=x onerror=alert(1)>.html';
  const buffer = Buffer.from('<script>document.title = "taken"</script>'.repeat(50));
  await ann.setInputFiles('.letter-box .picture-file', { name: markup, mimeType: 'text/html', buffer });
  await ann.waitForSelector('.letter-box .attached[data-state=ready]');
  assert.match(await ann.textContent('.attached-words'), /\.html · Ready to send\./);
  await ann.fill('.letter-text', 'as you asked');
  await ann.press('.letter-text', 'Enter');
  const box = bob.locator('.letter.other .file-box');
  await box.waitFor();
  assert.deepEqual([await box.locator('.file-name').textContent(), await box.locator('.file-size').textContent()], [markup, '2.1 kB']);
  assert.equal(await bob.locator('.letter .file-box img').count(), 0, 'a name is no markup');
  assert.deepEqual(await violations(bob, '.letters'), []);
  const asked = [];
  bob.on('request', (request) => request.url().includes('/v1/media/') && asked.push(request.url()));
  const address = bob.url();
  const [download] = await Promise.all([bob.waitForEvent('download'), box.click()]);
  assert.equal(download.suggestedFilename().replaceAll('_', '?'), '?img src=x onerror=alert(1)?.html');
  assert.deepEqual(await readFile(await download.path()), buffer);
  assert.equal(asked.length, 1, 'the address is asked for by the press');
  assert.deepEqual([bob.url(), bob.context().pages().length], [address, 1]);
  await bob.click('.letters-head [aria-label=Back]');
  await bob.waitForSelector('.conversation-words:has-text("onerror=alert(1)>.html as you asked")');
  assert.deepEqual([...ann.faults, ...bob.faults], []);
});

test('a voice note goes up while it is spoken, ends in a moment, and plays when its reader presses it', async () => {
  const [ivy, jon] = await talk('ivy', 'jon', { permissions: ['microphone'] });
  const pieces = [];
  ivy.on('request', (request) => request.method() === 'PATCH' && pieces.push(request.headers()['upload-length'] ?? null));
  await ivy.click('.letter-box .voice-button');
  await ivy.waitForSelector('.letter-box .attached[data-state=recording]');
  assert.deepEqual(await violations(ivy, '.letters'), []);
  await until('three pieces are there', () => pieces.length >= 3);
  assert.deepEqual(pieces.filter((length) => length !== null), [], 'nobody knows the length yet');
  const before = pieces.length;
  const tookMs = await ivy.evaluate(async () => {
    const started = performance.now();
    document.querySelector('.letter-box .voice-button').click();
    while (document.querySelector('.letter-box .attached').dataset.state !== 'ready') await new Promise((resolve) => setTimeout(resolve, 10));
    return performance.now() - started;
  });
  console.log(`# ${before} pieces while it was spoken, ${pieces.length - before} at its end; ready ${Math.round(tookMs)} ms after the end`);
  assert.ok(pieces.length - before <= 2, 'at most the last second is sent at the end');
  assert.match(await ivy.textContent('.attached-words'), /^Voice note, 0:0\d · Ready to send\.$/);
  await ivy.press('.letter-text', 'Enter');
  const note = jon.locator('.letter.other .file-box.sound');
  await note.waitFor();
  assert.match(await note.textContent(), /^Play the voice note from Ivy Voice note [\d.]+ kB$/);
  assert.deepEqual(await violations(jon, '.letters'), []);
  await note.click();
  await until('it plays', () => jon.locator('.letter audio').evaluate((node) => node.currentTime > 0.2));
  assert.ok(await jon.locator('.letter audio').evaluate((node) => node.controls && node.preload === 'none'));
  await jon.click('.letters-head [aria-label=Back]');
  await jon.waitForSelector('.conversation-words:has-text("[voice note]")');
  assert.deepEqual([...ivy.faults, ...jon.faults], []);
});

test('a voice note that is taken away leaves no letter and no upload, and without a microphone a sentence says so', async () => {
  const [kai, lea] = await talk('kai', 'lea', { permissions: ['microphone'] });
  const ended = [];
  kai.on('request', (request) => request.method() === 'DELETE' && ended.push(request.url()));
  await kai.click('.letter-box .voice-button');
  await until('it is on its way', async () => (await kai.textContent('.attached-words')).includes('Recording 0:01'));
  await kai.click('.letter-box .attached [aria-label=Remove]');
  await until('the server forgets it', () => ended.length === 1);
  assert.ok(await kai.isHidden('.letter-box .attached'));
  await lea.evaluate(() => {
    navigator.mediaDevices.getUserMedia = () => Promise.reject(new DOMException('no', 'NotAllowedError'));
  });
  await lea.click('.letter-box .voice-button');
  await lea.waitForSelector('.letter-box .attached.refused');
  assert.match(await lea.textContent('.attached-words'), /microphone cannot be used/);
  assert.deepEqual([...kai.faults, ...lea.faults], []);
});

// Emotes are images in the list and on the stage; badges and replies are text. Images come from origins
// that the server allows alone.

import assert from 'node:assert/strict';
import { after, before, test } from './suite.mjs';
import { launch, open } from './browser.mjs';
import { Server, until } from './server.mjs';

let server;
let browser;

before(async () => {
  server = await Server.start();
  browser = await launch();
});
after(async () => {
  await browser?.close();
  await server?.stop();
});

async function setEmotes(token, emotes) {
  const answer = await fetch(`${server.origin}/v1/rooms/demo/emotes`, {
    method: 'PUT',
    headers: { Authorization: `Bearer ${token}` },
    body: JSON.stringify({ emotes }),
  });
  assert.equal(answer.status, 200, await answer.text());
}

test('a page shows emotes in list and stage, also those that come later, and no foreign image', async () => {
  const host = await server.token('hal', 'host');
  await setEmotes(host, [{ id: 'k', name: 'Kappa', url: '/icon.svg', px: [28] }]);
  const page = await open(browser, server);
  const requests = [];
  page.on('request', (request) => requests.push(request.url()));
  const ann = await server.token('ann');
  const first = await server.post(ann, { type: 'chat', id: 'e-1', text: '弹幕 Kappa <b>Kappa</b> :new:' });
  const row = '#list .row.chat:has-text("弹幕")';
  await page.waitForSelector(`${row} img.emote`);
  assert.deepEqual(await page.$$eval(`${row} img`, (found) => found.map((one) => [one.alt, new URL(one.src).pathname])), [
    ['Kappa', '/icon.svg'],
  ]);
  assert.equal(await page.$eval(`${row} .words`, (words) => words.textContent), '弹幕  <b>Kappa</b> :new:');
  await page.waitForSelector('#flight .danmaku img.emote');
  const { width, height } = await page.$eval('#flight .danmaku img.emote', (image) => image.getBoundingClientRect());
  assert.ok(width > 0 && Math.abs(width - height) < 1, 'the box is there before the image is');

  await setEmotes(host, [
    { id: 'k', name: 'Kappa', url: '/icon.svg', px: [28] },
    { id: 'n', name: ':new:', url: '/icon.svg', px: [28] },
    { id: 'f', name: 'Foreign', url: 'https://foreign.example/{px}.png', px: [28] },
  ]);
  await until('the new emote is an image', async () => {
    await server.post(ann, { type: 'chat', id: `e-${Math.random()}`, text: `again :new: ${Math.random()}` });
    return (await page.$$('#list img.emote[alt=":new:"]')).length > 0;
  });
  await server.post(ann, { type: 'chat', id: 'e-f', text: 'a Foreign image' });
  await until('its word remains', async () =>
    (await page.$$eval('#list .words', (all) => all.map((one) => one.textContent))).includes('a Foreign image'),
  );
  assert.deepEqual(requests.filter((url) => url.includes('foreign.example') && url.startsWith('http:')), []);

  await server.post(ann, { type: 'chat', id: 'e-r', text: 'an answer', reply_to: first.sequence });
  await page.waitForSelector('#list .row.chat .reply:has-text("ann")');
});

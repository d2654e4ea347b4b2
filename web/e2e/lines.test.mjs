// The page reads batches as lines: those that stand alone, and those that refer to earlier ones.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { chats, connected, launch, open, send } from './browser.mjs';
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

/** Loads the page again, and notes the first byte of each binary frame. */
async function watched(page) {
  const heads = [];
  page.on('websocket', (socket) => socket.on('framereceived', ({ payload }) => typeof payload === 'string' || heads.push([payload[0], payload.length])));
  await page.reload();
  await connected(page);
  return heads;
}

test('two viewers see every message, also those in frames that refer to earlier lines', async () => {
  const sender = await server.token('ann');
  const viewer = await open(browser, server, { token: await server.token('bo') });
  const heads = await watched(viewer);
  const texts = Array.from({ length: 30 }, (_, at) => `message ${at} 弹幕 😀`);
  for (const [at, text] of texts.slice(0, 20).entries()) await server.post(sender, { type: 'chat', id: `c-${at}`, text });
  await until('the viewer has 20 messages', async () => (await chats(viewer)).length === 20);
  // A newcomer has no lines yet.
  const newcomer = await open(browser, server, { token: await server.token('cy') });
  for (const [at, text] of texts.slice(20).entries()) await server.post(sender, { type: 'chat', id: `d-${at}`, text });
  await until('both have the rest', async () => (await chats(newcomer)).length >= 10 && (await chats(viewer)).length === 30);
  assert.deepEqual(await chats(viewer), texts);
  const behind = heads.filter(([units]) => units > 0 && units < 255);
  assert.ok(behind.length > 10, `frames that refer to lines: ${JSON.stringify(heads)}`);
  const sizes = behind.map(([, size]) => size).sort((a, b) => a - b);
  assert.ok(sizes[sizes.length >> 1] < 50, `half of the single messages have less than 50 bytes: ${sizes}`);
  // The sender's own message comes without its id, and is shown once.
  await send(viewer, 'my own');
  await until('it is shown', async () => (await chats(newcomer)).at(-1) === 'my own');
  assert.equal((await chats(viewer)).filter((text) => text === 'my own').length, 1);
  assert.deepEqual([...viewer.faults, ...newcomer.faults], []);
});

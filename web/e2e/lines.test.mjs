// The page reads batches as lines: those that stand alone, and those that refer to earlier ones.

import assert from 'node:assert/strict';
import { after, before, test } from './suite.mjs';
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

/** Messages that come one by one, and those of a burst, which share frames. */
const ALONE = 12;
const BURST = 18;

/** Loads the page again, and notes the first byte and the size of each binary frame. */
async function watched(page) {
  const heads = [];
  page.on('websocket', (socket) => socket.on('framereceived', ({ payload }) => typeof payload === 'string' || heads.push([payload[0], payload.length])));
  await page.reload();
  await connected(page);
  // On a busy machine the page may begin with another transport, and go on with a WebSocket later.
  await until('the WebSocket has a hello', () => heads.length > 0);
  return heads;
}

test('two viewers see every message, also those in frames that refer to earlier lines', async () => {
  const sender = await server.token('ann');
  const viewer = await open(browser, server, { token: await server.token('bo') });
  const heads = await watched(viewer);
  const texts = Array.from({ length: ALONE }, (_, at) => `message ${at} 弹幕 😀`);
  const before = heads.length;
  for (const [at, text] of texts.entries()) {
    await server.post(sender, { type: 'chat', id: `c-${at}`, text });
    await until('the viewer has it', async () => (await chats(viewer)).length === at + 1);
  }
  assert.deepEqual(await chats(viewer), texts);
  const alone = heads.slice(before);
  const behind = alone.filter(([units]) => units > 0 && units < 255);
  assert.ok(behind.length >= ALONE - 2, `all but the first messages refer to lines: ${JSON.stringify(alone)}`);
  const sizes = behind.map(([, size]) => size).sort((a, b) => a - b);
  assert.ok(sizes[sizes.length >> 1] < 50, `half of the single messages have less than 50 bytes: ${sizes}`);
  // A newcomer has no lines yet.
  const newcomer = await open(browser, server, { token: await server.token('cy') });
  await until('the newcomer has the past', async () => (await chats(newcomer)).length === ALONE);
  await Promise.all(Array.from({ length: BURST }, (_, at) => server.post(sender, { type: 'chat', id: `d-${at}`, text: `burst ${at} 弹幕 😀` })));
  for (const page of [viewer, newcomer]) await until('both have the rest', async () => (await chats(page)).length === ALONE + BURST);
  const all = await chats(viewer);
  assert.deepEqual(await chats(newcomer), all, 'both have one order');
  assert.equal(new Set(all).size, ALONE + BURST, 'each once');
  // The sender's own message comes without its id, and is shown once: neither the answer of the server nor a later
  // message adds another row.
  await send(viewer, 'my own');
  await until('the server has accepted it', async () => (await viewer.inputValue('#text')) === '');
  await server.post(sender, { type: 'chat', id: 'last', text: 'the last' });
  for (const page of [viewer, newcomer]) await until('both have the last', async () => (await chats(page)).at(-1) === 'the last');
  for (const page of [viewer, newcomer]) assert.deepEqual((await chats(page)).slice(ALONE + BURST), ['my own', 'the last']);
  assert.deepEqual([...viewer.faults, ...newcomer.faults], []);
});

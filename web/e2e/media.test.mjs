// Uploads from a page of another site with the SDK's `@barrage/client/media`, through a kill of the server and a reload.

import assert from 'node:assert/strict';
import { after, afterEach, before, test } from './suite.mjs';
import { launch, newContext } from './browser.mjs';
import { Host } from './embed/host.mjs';
import { freePorts, Server, until } from './server.mjs';

const MIB = 1 << 20;
/** Longest time for which the page's thread may stand still while a large file is hashed, on a busy machine too. */
const STILL_MS = 400;

let server;
let host;
let browser;
let mediaOrigin;
const faults = [];

before(async () => {
  host = await Host.start('media/page.mjs');
  const [port] = await freePorts();
  mediaOrigin = `http://127.0.0.1:${port}`;
  server = await Server.startWith({ HTTP__ALLOWED_ORIGINS: JSON.stringify([host.origin]), MEDIA__LISTEN: JSON.stringify([`127.0.0.1:${port}`]) });
  browser = await launch();
});
afterEach(async () => {
  for (const context of browser.contexts()) await context.close();
  assert.deepEqual(faults.splice(0), []);
});
after(async () => {
  await browser?.close();
  await server?.stop();
  await host?.stop();
});

async function visit(user) {
  const context = await newContext(browser, { locale: 'en-US' });
  const page = await context.newPage();
  page.on('pageerror', (error) => faults.push(`error: ${error.message}`));
  await page.goto(`${host.origin}/`);
  await open(page, user);
  return page;
}

async function open(page, user, more = {}) {
  const options = { hosts: mediaOrigin, token: await server.token(user, 'viewer', '*'), ...more };
  await page.evaluate((given) => window.site.open(given), options);
}

/** Counts the requests of a page that the media host has answered, by method. */
function counted(page) {
  const counts = {};
  page.on('response', (response) => {
    const method = response.request().method();
    if (response.url().startsWith(`${mediaOrigin}/v1/uploads`)) counts[method] = (counts[method] ?? 0) + 1;
  });
  return counts;
}

const begin = (page, name, length, seed) => page.evaluate(([key, bytes, from]) => window.site.begin(key, window.site.noise(bytes, from)), [name, length, seed]);
const sent = (page, name) => page.evaluate((key) => window.site.sent(key), name);
const end = (page, name) => page.evaluate((key) => window.site.end(key), name);

/** Returns the digest of a medium as it is delivered. */
function delivered(page, url) {
  return page.evaluate(async (address) => window.site.digest(await (await fetch(address)).blob()), new URL(url, mediaOrigin).href);
}

test('an upload survives a kill -9 of the server, and no byte of it is wrong', async () => {
  const page = await visit('ann');
  const counts = counted(page);
  await open(page, 'ann', { chunkBytes: MIB / 4 });
  await begin(page, 'a', 12 * MIB, 1);
  await until('some of it is there', async () => (await sent(page, 'a')) >= 3 * MIB);
  await server.kill();
  const before = await sent(page, 'a');
  assert.ok(before < 12 * MIB, 'the kill came in the middle');
  await server.run();
  const ended = await end(page, 'a');
  assert.equal(ended.kind, 'ready', JSON.stringify(ended));
  const wanted = await page.evaluate((length) => window.site.digest(window.site.noise(length, 1)), 12 * MIB);
  assert.equal(ended.medium.digest, wanted);
  assert.equal(await delivered(page, ended.medium.variants[0].url), wanted);
  assert.equal(counts.POST, 3, 'a question with its proof, and one creation');
});

test('behind a reload the same file continues where it was', async () => {
  const page = await visit('bob');
  await open(page, 'bob', { chunkBytes: MIB / 4 });
  await begin(page, 'b', 12 * MIB, 2);
  await until('some of it is there', async () => (await sent(page, 'b')) >= 3 * MIB);
  await page.reload();
  await open(page, 'bob');
  await begin(page, 'b', 12 * MIB, 2);
  const first = await page.evaluate(async () => {
    while (window.site.sent('b') === 0) await new Promise((resolve) => setTimeout(resolve, 5));
    return window.site.sent('b');
  });
  assert.ok(first >= 3 * MIB, `it continued at ${first}`);
  assert.equal((await end(page, 'b')).kind, 'ready');
});

test('a file that the user has uploaded is there again without its bytes, and for another user it is not', async () => {
  const page = await visit('cat');
  await begin(page, 'c', 2 * MIB, 3);
  assert.equal((await end(page, 'c')).kind, 'ready');
  const again = await visit('cat');
  const counts = counted(again);
  await begin(again, 'c', 2 * MIB, 3);
  const ended = await end(again, 'c');
  assert.deepEqual([ended.kind, counts], ['ready', { POST: 2 }]);
  const stranger = await visit('dan');
  const other = counted(stranger);
  await begin(stranger, 'c', 2 * MIB, 3);
  assert.equal((await end(stranger, 'c')).kind, 'ready');
  assert.ok(other.PATCH >= 1, 'the bytes were sent');
});

test('a photo is made smaller before it is sent, and its placeholder has its colours', async () => {
  const page = await visit('eve');
  const found = await page.evaluate(async () => {
    const file = await window.site.photo(3_000, 2_000);
    window.site.begin('e', file);
    const ended = await window.site.end('e');
    const canvas = document.createElement('canvas');
    const drew = window.site.media.drawThumbhash(canvas, ended.medium?.thumbhash ?? '');
    const context = canvas.getContext('2d');
    const at = (x) => [...context.getImageData(Math.floor(x * canvas.width), canvas.height >> 1, 1, 1).data];
    return { bytes: file.size, ended, sent: window.site.sent('e'), drew, size: [canvas.width, canvas.height], left: at(0.2), right: at(0.8) };
  });
  assert.equal(found.ended.kind, 'ready', JSON.stringify(found.ended));
  assert.ok(found.bytes > MIB / 2 && found.sent < found.bytes / 2, `${found.sent} of ${found.bytes} bytes`);
  const { width, height, variants } = found.ended.medium;
  assert.deepEqual([width, height, variants.map(({ name }) => name)], [1_920, 1_280, ['96', '480', '1280']]);
  assert.ok(found.drew);
  assert.equal(found.size[0], 32);
  const near = (colour, wanted) => colour.slice(0, 3).every((value, index) => Math.abs(value - wanted[index]) < 50);
  assert.ok(near(found.left, [28, 60, 200]) && near(found.right, [218, 40, 30]), JSON.stringify([found.left, found.right]));
});

test('a file that the check refuses ends with the sentence of the server', async () => {
  const page = await visit('fay');
  const ended = await page.evaluate(() => {
    window.site.begin('f', new File(['not a picture at all'], 'a.png', { type: 'image/png' }));
    return window.site.end('f');
  });
  assert.equal(ended.kind, 'refused');
  assert.match(ended.message, /\w+ \w+ \w+/);
  const states = await page.evaluate(() => {
    window.site.begin('g', window.site.noise(40 * 1_048_576, 9));
    setTimeout(() => window.site.cancel('g'), 300);
    return window.site.end('g');
  });
  assert.equal(states.kind, 'cancelled');
});

test('the page moves while a large file is hashed', async () => {
  const page = await visit('gil');
  const still = await page.evaluate(async () => {
    const file = window.site.noise(60 * 1_048_576, 11);
    let last = performance.now();
    let longest = 0;
    const timer = setInterval(() => {
      longest = Math.max(longest, performance.now() - last);
      last = performance.now();
    }, 5);
    await window.site.digest(file);
    clearInterval(timer);
    return longest;
  });
  assert.ok(still < STILL_MS, `${still} ms`);
});

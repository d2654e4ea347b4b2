// A room in pages of other sites: over the players that they have, in one element, and in a chat widget. The real
// libraries run in the page of another origin than the server's, under that site's policy.

import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { after, before, test } from './suite.mjs';
import { fileURLToPath } from 'node:url';
import { violations } from './axe.mjs';
import { launch, MOVING, newContext } from './browser.mjs';
import { CORPUS, STRANGERS } from './corpus.mjs';
import { Host } from './embed/host.mjs';
import { Server, until } from './server.mjs';

/** Longest time between the answer to a recall and the last pixel of the message. */
const GONE_MS = 500;
const ROOT = dirname(dirname(dirname(fileURLToPath(import.meta.url))));

let server;
let host;
let browser;
let page;
const faults = [];

before(async () => {
  host = await Host.start();
  server = await Server.startWith({ HTTP__ALLOWED_ORIGINS: JSON.stringify([host.origin]) });
  host.server = server.origin;
  browser = await launch();
  page = await visit('/');
  await page.evaluate(() => window.embed.prepare());
  const room = { entry: server.origin, room: 'demo' };
  for (const player of ['hls', 'artplayer', 'xgplayer', 'dplayer', 'widget']) await page.evaluate(([name, options]) => window.embed[name](options), [player, room]);
  await page.evaluate((attributes) => window.embed.element(attributes), room);
  await until('all rooms are open', () => page.evaluate(() => window.embed.states().every((kind) => kind === 'open') && document.querySelector('barrage-room').session?.state.kind === 'open'));
});
after(async () => {
  await browser?.close();
  await server?.stop();
  await host?.stop();
});

async function visit(path) {
  const context = await newContext(browser, { ...MOVING, viewport: { width: 1280, height: 900 }, locale: 'en-US' });
  const opened = await context.newPage();
  opened.on('pageerror', (error) => faults.push(`error: ${error.message}`));
  opened.on('dialog', (dialog) => {
    faults.push(`dialog: ${dialog.message()}`);
    void dialog.dismiss();
  });
  opened.on('console', (message) => {
    if (message.text().includes('Content Security Policy')) faults.push(`policy: ${message.text()}`);
  });
  await opened.goto(host.origin + path);
  return opened;
}

/** Returns where a text is shown now, by name of the surface. */
function surfaces(text) {
  return page.evaluate((wanted) => {
    const flying = (stage) => stage.flying.some((box) => box.text === wanted);
    const rows = (selector, root) => [...root.querySelectorAll(selector)].some((node) => node.textContent === wanted);
    const shown = {
      hls: flying(window.overHls.stage),
      artplayer: flying(window.overArt.stage),
      xgplayer: flying(window.overXg.stage),
      dplayer: rows('.dplayer-danmaku-item', document),
      element: rows('.row .words', document.querySelector('barrage-room').shadowRoot),
      widget: rows('#widget span', document),
    };
    return Object.keys(shown).filter((name) => shown[name]);
  }, text);
}

const ALL = ['hls', 'artplayer', 'xgplayer', 'dplayer', 'element', 'widget'];

test('a message reaches every player, and a recall removes it from all within half a second', async () => {
  const sent = await server.post(await server.token('ann'), { type: 'chat', id: 'm-1', text: 'over every player' });
  await until('shown everywhere', async () => (await surfaces('over every player')).length === ALL.length);
  await server.adminPost('/v1/admin/rooms/demo/recall', { sequence: sent.sequence });
  const answered = performance.now();
  await until('gone everywhere', async () => (await surfaces('over every player')).length === 0);
  const goneMs = performance.now() - answered;
  assert.ok(goneMs < GONE_MS, `${goneMs} ms`);
});

test('a purge removes what one user wrote and leaves the rest', async () => {
  await server.post(await server.token('mallory'), { type: 'chat', id: 'p-1', text: 'from mallory' });
  await server.post(await server.token('bo'), { type: 'chat', id: 'p-2', text: 'from bo' });
  await until('both are shown', async () => (await surfaces('from mallory')).length + (await surfaces('from bo')).length === 2 * ALL.length);
  const moderator = await server.token('mod', 'moderator');
  await server.post(moderator, { id: 'a-1', action: { type: 'purge', user: 'mallory' } }, 'demo', 'actions');
  await until('mallory is gone', async () => (await surfaces('from mallory')).length === 0, GONE_MS * 4);
  assert.deepEqual(await surfaces('from bo'), ALL);
});

test('what a viewer writes in the element and in DPlayer reaches the others', async () => {
  await page.locator('barrage-room input').fill('from the element');
  await page.locator('barrage-room input').press('Enter');
  await until('shown everywhere', async () => (await surfaces('from the element')).length === ALL.length);
  assert.equal(await page.locator('barrage-room input').inputValue(), '');
  await page.evaluate(() => window.dp.danmaku.send({ text: 'from <b>DPlayer</b>', color: 0xff0000, type: 1 }, () => {}));
  await until('shown everywhere', async () => (await surfaces('from <b>DPlayer</b>')).length === ALL.length);
});

test('the element breaks no rule of accessibility', async () => {
  assert.deepEqual(await violations(page, 'barrage-room'), []);
});

test('the layer has the box of the player, within the element that goes to full screen', async () => {
  const boxes = await page.evaluate(() => {
    const box = (node) => ['x', 'y', 'width', 'height'].map((side) => Math.round(node.getBoundingClientRect()[side]));
    window.art.fullscreenWeb = true;
    const found = { art: [box(window.overArt.layer), box(window.art.template.$player)], hls: [box(window.overHls.layer), box(document.querySelector('#hls video'))], xg: [box(window.overXg.layer), box(window.xg.root)] };
    window.art.fullscreenWeb = false;
    return found;
  });
  for (const [name, [layer, player]] of Object.entries(boxes)) assert.deepEqual(layer, player, name);
  assert.ok(boxes.art[0][2] >= 1_000, 'ArtPlayer filled the window');
});

test('danmaku stand while the video is paused', async () => {
  const moved = (paused) =>
    page.evaluate(async (isPaused) => {
      const video = document.querySelector('#hls video');
      const changed = new Promise((resolve) => video.addEventListener(isPaused ? 'pause' : 'play', resolve, { once: true }));
      if (isPaused) video.pause();
      else await video.play();
      await changed;
      const before = window.overHls.stage.timeMs;
      for (let frame = 0; frame < 6; frame += 1) await new Promise(requestAnimationFrame);
      return window.overHls.stage.timeMs - before;
    }, paused);
  assert.equal(await moved(true), 0);
  assert.ok((await moved(false)) > 0);
});

test('hostile texts, names and gifts are shown as text by every player', async () => {
  const token = await server.token('evil', 'viewer', 'demo', ['--name', CORPUS[3]]);
  let shown = 0;
  for (const [index, text] of CORPUS.entries()) {
    // A held message is shown only to its sender.
    const answer = await server.post(token, { type: 'chat', id: `x-${index}`, text, style: { mode: ['scroll', 'top', 'bottom'][index % 3], color: 0xff00ff } });
    if (answer.outcome === 'broadcast') shown += 1;
    if (index % 4 === 0) await server.post(token, { type: 'gift', id: `g-${index}`, gift: { name: text.slice(0, 40), count: 1 } });
    if (index % 4 === 1) await server.post(token, { type: 'super_chat', id: `s-${index}`, text: `paid ${text}`, amount_minor: 100, currency: 'CNY' });
  }
  assert.ok(shown > 10, `${shown} texts of the corpus were shown`);
  // Stages skip what finds no lane; the lists have every message.
  await server.post(await server.token('last'), { type: 'chat', id: 'x-last', text: 'the last one' });
  await until('the last one is in the lists', async () => (await surfaces('the last one')).filter((name) => name === 'element' || name === 'widget').length === 2);
  const flown = () => page.evaluate(() => [window.overHls, window.overArt, window.overXg].map(({ stage }) => stage.counts.shown));
  await until('the corpus flew', async () => (await flown()).every((count) => count > 5));
  const strangers = await page.evaluate((selector) => {
    const places = [window.overHls.layer, window.overArt.layer, window.overXg.layer, document.querySelector('.dplayer-danmaku'), document.querySelector('barrage-room').shadowRoot, document.querySelector('#widget')];
    return places.flatMap((root) => [...root.querySelectorAll(selector)].map((node) => node.outerHTML));
  }, `${STRANGERS}, img, script`);
  assert.deepEqual(strangers, []);
  assert.equal(await page.evaluate(() => window.pwned), undefined);
  assert.deepEqual(faults, []);
});

test('a player that is destroyed and an element that is removed leave nothing behind', async () => {
  const left = await page.evaluate(async () => {
    const element = document.querySelector('barrage-room');
    const { session } = element;
    element.remove();
    window.art.destroy();
    window.overHls.close();
    await Promise.resolve();
    await Promise.resolve();
    return { session: session.state.kind, after: element.session, art: window.overArt.layer.isConnected, hls: window.overHls.layer.isConnected };
  });
  assert.deepEqual(left, { session: 'ended', after: null, art: false, hls: false });
});

test('the example of the guide and of the README works as it stands, on another origin', async () => {
  const read = async (path) => /```html element\n(.*?)```/s.exec(await readFile(join(ROOT, path), 'utf8'))?.[1];
  const example = await read('README.md');
  assert.equal(await read('docs/guide/embed.md'), example);
  assert.equal(await read('README.zh-CN.md'), example);
  assert.ok(example.split('\n').length <= 11, 'ten lines');
  host.page('/guide', example.replaceAll('https://chat.example', server.origin));
  page = await visit('/guide');
  await until('joined', () => page.evaluate(() => document.querySelector('barrage-room').session?.state.kind === 'open'));
  await server.post(await server.token('reader'), { type: 'chat', id: 'r-1', text: 'from the guide' });
  await page.locator('barrage-room .words', { hasText: 'from the guide' }).waitFor();
  assert.deepEqual(faults, []);
});

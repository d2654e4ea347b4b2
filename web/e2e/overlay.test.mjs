// The overlay in a browser: transparent, quick to forget what the room takes back, open to themes, closed to scripts.

import assert from 'node:assert/strict';
import { after, afterEach, before, test } from './suite.mjs';
import { violations } from './axe.mjs';
import { launch, MOVING, newContext } from './browser.mjs';
import { CORPUS, STRANGERS } from './corpus.mjs';
import { Server, until } from './server.mjs';

/** Longest time between the answer to a recall and the last pixel of the message. */
const GONE_MS = 500;
/** What OBS adds to a page by itself. */
const OBS_CSS = 'body { background-color: rgba(0, 0, 0, 0); margin: 0px auto; overflow: hidden; }';
/** A style sheet as streamers write them for YouTube's chat. */
const YOUTUBE_CSS = `
  yt-live-chat-text-message-renderer #author-name { color: rgb(1, 2, 3); }
  yt-live-chat-text-message-renderer[author-type="moderator"] #author-name { color: rgb(9, 8, 7); }
  yt-live-chat-text-message-renderer #message { font-size: 31px; }
  yt-live-chat-paid-message-renderer #purchase-amount { color: rgb(4, 5, 6); }
  yt-live-chat-ticker-renderer { display: none; }`;

let server;
let browser;
const faults = [];

before(async () => {
  server = await Server.start();
  browser = await launch();
});
// A page that stays open goes on painting beside the next test.
afterEach(async () => {
  for (const context of browser.contexts()) await context.close();
});
after(async () => {
  await browser?.close();
  await server?.stop();
});

async function open(query, viewport = { width: 800, height: 600 }) {
  const context = await newContext(browser, { ...MOVING, viewport, locale: 'en-US' });
  const page = await context.newPage();
  page.on('pageerror', (error) => faults.push(`error: ${error.message}`));
  page.on('dialog', (dialog) => void dialog.dismiss(faults.push(`dialog: ${dialog.message()}`)));
  page.on('console', (message) => message.text().includes('Content Security Policy') && faults.push(`policy: ${message.text()}`));
  await page.goto(`${server.origin}/overlay/?${query}`);
  if (query.includes('room=')) await page.waitForSelector('#overlay[data-state=open]');
  return page;
}

/** Returns the number of pixels that are not transparent, as a mixer would get them. */
async function pixels(page) {
  const png = (await page.screenshot({ omitBackground: true })).toString('base64');
  const reader = page.reader ?? (page.reader = await (await newContext(browser)).newPage());
  return reader.evaluate(async (data) => {
    const bitmap = await createImageBitmap(await (await fetch(`data:image/png;base64,${data}`)).blob());
    const canvas = new OffscreenCanvas(bitmap.width, bitmap.height);
    const drawing = canvas.getContext('2d');
    drawing.drawImage(bitmap, 0, 0);
    const { data: bytes } = drawing.getImageData(0, 0, bitmap.width, bitmap.height);
    let count = 0;
    for (let at = 3; at < bytes.length; at += 4) if (bytes[at] !== 0) count += 1;
    return count;
  }, png);
}

/** Posts a chat, a gift and a super chat of a user; returns their sequences. */
async function speak(user, id) {
  const token = await server.token(user);
  const chat = await server.post(token, { type: 'chat', id: `c-${id}`, text: `words of ${user} ${id}` });
  const gift = await server.post(token, { type: 'gift', id: `g-${id}`, gift: { name: 'rose', count: 3 } });
  const paid = await server.post(token, { type: 'super_chat', id: `s-${id}`, text: `paid by ${user} ${id}`, amount_minor: 20_000, currency: 'USD' });
  return [chat, gift, paid].map(({ sequence }) => sequence);
}

async function act(action, id) {
  const answer = await server.post(await server.token('mod', 'moderator'), { id, action }, 'demo', 'actions');
  assert.equal(answer.status, 200, JSON.stringify(answer));
}

test('recalled, purged and cleared messages leave no pixel within half a second', async () => {
  const page = await open('room=demo&mode=both');
  assert.equal(await pixels(page), 0, 'nothing but transparency before the first message');
  const takeBack = {
    recall: async (sequences) => {
      for (const [number, sequence] of sequences.entries()) await act({ type: 'recall', sequence }, `recall-${number}`);
    },
    purge: () => act({ type: 'purge', user: 'ann-purge' }, 'purge-1'),
    clear: () => act({ type: 'clear' }, 'clear-1'),
  };
  for (const [name, undo] of Object.entries(takeBack)) {
    const sequences = await speak(`ann-${name}`, name);
    await page.locator('.row.super-chat').waitFor();
    await page.locator('.alert.gift').waitFor();
    await page.locator('.ticker-item').waitFor();
    await until(`${name}: danmaku fly`, () => page.evaluate(() => document.querySelector('.barrage-stage')?.childElementCount > 0));
    assert.ok((await pixels(page)) > 5_000, `${name}: something is shown`);
    await undo(sequences);
    const answered = performance.now();
    await until(`${name}: nothing is left`, () => page.evaluate(() => !document.querySelector('.row, .alert, .ticker-item, .danmaku')));
    const goneMs = performance.now() - answered;
    assert.ok(goneMs < GONE_MS, `${name}: ${goneMs} ms`);
    assert.equal(await pixels(page), 0, `${name}: no pixel is left`);
  }
});

test('style sheets of OBS and of YouTube themes fit, and scripts of a theme do not run', async () => {
  const page = await open('room=demo');
  await page.evaluate((css) => {
    // As obs-browser adds the custom CSS of a source.
    const style = document.createElement('style');
    style.innerHTML = css;
    document.head.appendChild(style);
  }, OBS_CSS + YOUTUBE_CSS);
  await server.post(await server.token('mod', 'moderator'), { type: 'chat', id: 'y-1', text: 'be kind' });
  await speak('yolanda', 'y');
  const color = (selector) => page.locator(selector).last().evaluate((node) => getComputedStyle(node).color);
  assert.equal(await color('yt-live-chat-text-message-renderer[author-type="moderator"] #author-name'), 'rgb(9, 8, 7)');
  assert.equal(await color('.row[data-user="yolanda"].chat #author-name'), 'rgb(1, 2, 3)');
  assert.equal(await color('yt-live-chat-paid-message-renderer #purchase-amount'), 'rgb(4, 5, 6)');
  assert.equal(await page.locator('.row.chat #message').last().evaluate((node) => getComputedStyle(node).fontSize), '31px');
  assert.equal(await page.locator('.row.chat').first().getAttribute('data-role'), 'moderator');
  assert.equal(await page.locator('yt-live-chat-ticker-renderer').isVisible(), false);
  const ran = await page.evaluate(() => {
    const script = document.createElement('script');
    script.textContent = 'window.inline = 1';
    document.body.append(script);
    return window.inline;
  });
  assert.equal(ran, undefined, 'inline script is refused');
  assert.equal(faults.splice(0).filter((fault) => !fault.startsWith('policy:')).length, 0);
});

test('parameters of the address hide, limit and size', async () => {
  const page = await open('room=demo&max=3&hide=gifts,commands&block=troll&badges=0&size=40&dir=down&ticker=0&alerts=0');
  const token = await server.token('vera', 'viewer', 'demo', ['--attrs', '{"badges":["vip"],"level":7}']);
  await server.post(await server.token('troll'), { type: 'chat', id: 't-1', text: 'never shown' });
  await server.post(token, { type: 'gift', id: 'v-g', gift: { name: 'rose', count: 1 } });
  await server.post(token, { type: 'chat', id: 'v-0', text: '!song request' });
  for (let number = 1; number <= 5; number += 1) await server.post(token, { type: 'chat', id: `v-${number}`, text: `line number ${number}` });
  await until('the newest is on top', async () => (await page.locator('.row #message').allTextContents()).join() === 'line number 5,line number 4,line number 3');
  assert.equal(await page.locator('.badge').count(), 0);
  assert.equal(await page.locator('.row').first().getAttribute('data-level'), '7');
  assert.equal(await page.locator('#overlay').evaluate((node) => getComputedStyle(node).fontSize), '40px');
});

test('a source that is off the air shows nothing new, and still forgets', async () => {
  const page = await open('room=demo&mode=both');
  const activity = (active) => page.evaluate((is) => window.dispatchEvent(new CustomEvent('obsSourceActiveChanged', { detail: { active: is } })), active);
  await activity(false);
  const [recalled] = await speak('olga', 'o-1');
  await server.post(await server.token('pia'), { type: 'chat', id: 'o-2', text: 'waits for the air' });
  await act({ type: 'recall', sequence: recalled }, 'recall-off-air');
  // The ticker has no movement to pause: the item of the last message shows that all before it have come.
  await speak('zoe', 'o-3');
  await page.locator('.ticker-item[data-user="zoe"]').waitFor();
  assert.equal(await page.locator('.row, .alert').count(), 0);
  await activity(true);
  await page.locator('.row', { hasText: 'waits for the air' }).waitFor();
  await page.locator('.alert.super-chat').waitFor();
  assert.equal(await page.locator('.row', { hasText: 'words of olga' }).count(), 0, 'recalled while off the air');
});

test('overlays are no viewers', async () => {
  const rooms = 'room=apart';
  await server.adminPost('/v1/admin/rooms/apart', {}).catch(() => undefined);
  const overlays = [await open('room=demo'), await open('room=demo&mode=danmaku')];
  const metric = async (name) => Number(new RegExp(`^${name} (\\d+)`, 'm').exec(await (await fetch(`${server.admin}/metrics`)).text())?.[1] ?? -1);
  await until('two overlays at least', async () => (await metric('barrage_gateway_overlays')) >= 2, 10_000);
  const joined = await metric('barrage_gateway_client_platforms_total\\{platform="overlay"\\}');
  assert.ok(joined >= 2, `${joined} joins of ${rooms}`);
  for (const overlay of overlays) await overlay.context().close();
});

test('hostile texts, names and gifts stay text', async () => {
  const page = await open('room=demo&mode=both&lang=en');
  const token = await server.token('evil', 'viewer', 'demo', ['--name', CORPUS[3], '--attrs', '{"color":16711680}']);
  for (const [index, text] of CORPUS.entries()) {
    await server.post(token, { type: 'chat', id: `x-${index}`, text, style: { mode: ['scroll', 'top', 'bottom'][index % 3], color: 0xff00ff } });
    if (index % 4 === 0) await server.post(token, { type: 'gift', id: `xg-${index}`, gift: { name: text.slice(0, 40), count: 1 } });
    if (index % 4 === 1) await server.post(token, { type: 'super_chat', id: `xs-${index}`, text: `paid ${text}`, amount_minor: 10_000, currency: 'USD' });
  }
  await server.post(await server.token('last'), { type: 'chat', id: 'x-last', text: 'the last one' });
  await page.locator('.row', { hasText: 'the last one' }).waitFor();
  assert.deepEqual(await page.locator('#overlay').evaluate((root, selector) => [...root.querySelectorAll(selector)].map((node) => node.outerHTML), `${STRANGERS}, img, script`), []);
  assert.equal(await page.evaluate(() => window.pwned), undefined);
  assert.deepEqual(faults, []);
});

test('hostile addresses run nothing, and an address without a room is the builder', async () => {
  const evil = encodeURIComponent('<img src=x onerror=window.pwned=1>');
  const page = await open(`size=${evil}&font=${evil}&mode=${evil}&hide=${evil}&block=${evil}&preview=1`);
  await page.locator('.row').first().waitFor();
  assert.equal(await page.evaluate(() => window.pwned), undefined);
  assert.equal(await page.locator('#overlay').evaluate((node) => node.style.getPropertyValue('--font')), '');
  const builder = await open('', { width: 1280, height: 900 });
  await builder.locator('.form .line').first().fill('launch');
  await builder.locator('.option', { hasText: 'Both' }).click();
  await builder.locator('.check', { hasText: 'Badges' }).click();
  assert.equal(await builder.locator('.address').inputValue(), `${server.origin}/overlay/?room=launch&mode=both&badges=0`);
  const preview = builder.frameLocator('.preview-frame');
  await preview.locator('.overlay[data-mode="both"] .row').first().waitFor();
  await until('the preview shows no badges', async () => (await preview.locator('.badge').count()) === 0);
  assert.deepEqual(await violations(builder), []);
  await builder.locator('.language').click();
  assert.equal(await builder.locator('h1').textContent(), '直播叠加层');
  assert.deepEqual(faults, []);
});

// The replay player: files by drag and drop, the archive of a real server by offset, seeks, export, and hostile
// recordings.

import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { after, before, test } from './suite.mjs';
import { violations } from './axe.mjs';
import { launch, MOVING, newContext } from './browser.mjs';
import { CORPUS, STRANGERS } from './corpus.mjs';
import { pause, Server, until } from './server.mjs';

let server;
let browser;
let page;

before(async () => {
  [server, browser] = await Promise.all([Server.start(), launch()]);
  page = await visit();
});
after(async () => {
  await browser?.close();
  await server?.stop();
});

async function visit(query = '', options = {}) {
  const context = await newContext(browser, { ...MOVING, viewport: { width: 1280, height: 800 }, locale: 'en-US', ...options });
  const made = await context.newPage();
  made.faults = [];
  made.on('pageerror', (error) => made.faults.push(`error: ${error.message}`));
  made.on('console', (message) => {
    if (message.text().includes('Content Security Policy')) made.faults.push(`policy: ${message.text()}`);
  });
  await made.goto(`${server.origin}/replay/${query}`);
  return made;
}

const escaped = (text) => text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('"', '&quot;');
const xml = (rows) => `<?xml version="1.0"?><i>${rows.map(([secs, text, name = 'Ann']) => `<d p="${secs},1,25,16777215,0,0,aa,1" user="${escaped(name)}">${escaped(text)}</d>`).join('')}</i>`;
const list = (on = page) => on.$$eval('#list .row .words', (rows) => rows.map((row) => row.textContent));

/** Drops a file on the page, as a person does. */
async function drop(name, content, type = '') {
  const data = await page.evaluateHandle(([fileName, text, kind]) => {
    const transfer = new DataTransfer();
    transfer.items.add(new File([text], fileName, { type: kind }));
    return transfer;
  }, [name, content, type]);
  await page.dispatchEvent('body', 'dragover', { dataTransfer: data });
  await page.dispatchEvent('body', 'drop', { dataTransfer: data });
}

async function seek(ms) {
  await page.$eval('#position', (field, value) => {
    field.value = value;
    field.dispatchEvent(new Event('input', { bubbles: true }));
  }, String(ms));
}

const position = () => page.$eval('#clock', (clock) => Number(clock.dataset.ms));

const COUNT = 600;
const ROWS = Array.from({ length: COUNT }, (_, index) => [index * 0.1, `text ${index}`]);

test('a dropped file plays on a plain clock, and seeks double and lose nothing', async () => {
  await drop('demo.xml', xml(ROWS));
  await until('it is loaded', async () => (await page.textContent('#loaded')) === `${COUNT} messages`);
  assert.match(await page.textContent('#clock'), /0:00 \/ 1:07/);
  assert.notEqual(await page.getAttribute('#heat .all', 'd'), '');
  await page.selectOption('#rate', '4');
  for (const [fromMs, playedMs] of [[10_000, 1_500], [40_000, 800], [10_050, 800], [0, 600]]) {
    await seek(fromMs);
    const before = Math.ceil(fromMs / 100);
    assert.deepEqual(await list(), ROWS.slice(Math.max(0, before - 150), before).map(([, text]) => text), `before ${fromMs} ms`);
    await page.keyboard.press(' ');
    await until('it plays', async () => (await position()) > fromMs + playedMs);
    await page.keyboard.press(' ');
    const shown = (await list()).map((text) => Number(text.slice(5)));
    assert.deepEqual(shown, shown.map((_, index) => shown[0] + index), 'each once and in order');
    assert.equal(shown.at(-1), Math.ceil((await position()) / 100) - 1, 'up to the position');
  }
  await until('danmaku fly', async () => (await page.$$eval('#flight *', (all) => all.length)) > 0);
  await page.keyboard.press('l');
  await until('the key seeks', async () => (await position()) > 60_000);
});

test('an export has all messages, and is read again', async () => {
  for (const format of ['xml', 'jsonl']) {
    await drop('demo.xml', xml([[1, 'a <b> & "c"'], [2.5, '弹幕']]));
    await until('it is loaded', async () => (await page.textContent('#loaded')) === '2 messages');
    const [download] = await Promise.all([page.waitForEvent('download'), page.click(`[data-export=${format}]`)]);
    const saved = await readFile(await download.path(), 'utf8');
    assert.equal(download.suggestedFilename(), `demo.xml.${format}`);
    await drop(`again.${format}`, saved);
    await until('it is another one', async () => (await page.textContent('#heading')).includes(`again.${format}`));
    await seek(9_000);
    assert.deepEqual(await list(), ['a <b> & "c"', '弹幕']);
  }
  await drop('notes.txt', 'x');
  await until('it is refused', async () => /notes\.txt.*neither/.test(await page.textContent('#note')));
  await drop('empty.xml', '<i></i>');
  await until('it is refused', async () => /empty\.xml.*no danmaku/.test(await page.textContent('#note')));
});

test('a dropped video is the clock, also when it seeks by itself', async () => {
  await drop('demo.xml', xml(ROWS.slice(0, 30)));
  const recorded = await page.evaluate(async () => {
    const canvas = document.createElement('canvas');
    canvas.width = canvas.height = 32;
    const context = canvas.getContext('2d');
    const recorder = new MediaRecorder(canvas.captureStream(20), { mimeType: 'video/webm' });
    const parts = [];
    recorder.ondataavailable = ({ data }) => parts.push(data);
    recorder.start();
    const started = performance.now();
    while (performance.now() - started < 1_200) {
      context.fillRect(Math.random() * 32, 0, 4, 4);
      await new Promise((resolve) => setTimeout(resolve, 40));
    }
    recorder.stop();
    await new Promise((resolve) => (recorder.onstop = resolve));
    const transfer = new DataTransfer();
    transfer.items.add(new File(parts, 'clip.webm', { type: 'video/webm' }));
    document.body.dispatchEvent(new DragEvent('drop', { dataTransfer: transfer, bubbles: true, cancelable: true }));
    return parts.reduce((sum, { size }) => sum + size, 0);
  });
  assert.ok(recorded > 0);
  await page.waitForSelector('#video:not([hidden])');
  await page.$eval('#video', (video) => (video.muted = true));
  await page.selectOption('#rate', '1');
  await page.click('#play');
  await until('the video plays', async () => (await page.$eval('#video', (video) => video.currentTime)) > 0.3);
  await page.click('#play');
  await page.$eval('#video', (video) => (video.currentTime = 0.55));
  await until('the list follows', async () => (await list()).length === 6);
  assert.deepEqual(page.faults, []);
});

test('the archive of a room is replayed from an offset, and a closed room too', async () => {
  const [ann, admin] = [await server.token('ann'), await server.token('boss', 'admin', '*')];
  // The stream began so long ago that the messages are on both sides of a minute: windows of the archive meet there.
  const body = JSON.stringify({ stream_started_at_ms: Date.now() - 179_300 });
  const put = await fetch(`${server.admin}/v1/admin/rooms/demo`, { method: 'PUT', headers: { Authorization: `Bearer ${admin}`, 'Content-Type': 'application/json' }, body });
  assert.equal(put.status, 200);
  const texts = Array.from({ length: 24 }, (_, index) => `number ${index}`);
  for (const [index, text] of texts.entries()) {
    assert.equal((await server.post(ann, { type: 'chat', id: `r-${index}`, text })).outcome, 'broadcast');
    await pause(50);
  }
  await fetch(`${server.admin}/v1/admin/rooms/demo/close`, { method: 'POST', headers: { Authorization: `Bearer ${admin}` } });
  const stored = await until('all is stored', async () => {
    const { messages } = await (await fetch(`${server.origin}/v1/rooms/demo/history?limit=1000`)).json();
    const chat = messages.filter(({ class: kind }) => kind === 'chat');
    return chat.length === texts.length && chat;
  });
  assert.deepEqual([...new Set(stored.map(({ offset_ms: offset }) => Math.floor(offset / 60_000)))], [2, 3], 'both windows have messages');
  const replay = await visit('?room=demo&from=3:00');
  await until('all is loaded', async () => (await replay.textContent('#loaded')) === `${texts.length} messages`);
  await until('it is at the offset', async () => /3:00 \/ 3:0/.test(await replay.textContent('#clock')));
  assert.deepEqual(await list(replay), stored.filter(({ offset_ms: offset }) => offset < 180_000).map(({ body: { text } }) => text));
  await replay.click('#play');
  await until('the rest is played', async () => (await list(replay)).length === texts.length);
  assert.deepEqual(await list(replay), texts);
  const [download] = await Promise.all([replay.waitForEvent('download'), replay.click('[data-export=jsonl]')]);
  const rows = (await readFile(await download.path(), 'utf8')).trim().split('\n').map((row) => JSON.parse(row));
  assert.equal(rows.filter(({ body }) => body?.type === 'chat' || body?.text).length, texts.length);
  assert.deepEqual(replay.faults, []);
  await replay.context().close();
});

test('a hostile recording runs nothing, and the page breaks no rule of axe', async () => {
  await drop('<img src=x onerror=window.pwned=1>.xml', xml(CORPUS.flatMap((text, index) => [[index * 0.01, text, CORPUS[(index + 1) % CORPUS.length]]])) + CORPUS.join('\n'));
  await until('it is loaded', async () => new RegExp(`^${CORPUS.length} messages`).test(await page.textContent('#loaded')));
  await page.click('#play');
  await seek(0);
  await until('all is shown', async () => (await list()).length === CORPUS.length);
  assert.ok((await list()).includes(CORPUS[3]));
  assert.equal(await page.evaluate(() => window.pwned), undefined);
  assert.deepEqual(await page.$$eval(STRANGERS.replace('video, ', ''), (found) => found.map((node) => node.outerHTML)), []);
  assert.deepEqual(page.faults, []);
  for (const options of [{}, { colorScheme: 'dark', locale: 'zh-CN', viewport: { width: 390, height: 844 }, hasTouch: true }]) {
    const shown = options.locale || options.viewport ? await visit('?room=demo', options) : page;
    await until('it has messages', async () => (await shown.textContent('#loaded')) !== '');
    assert.deepEqual(await violations(shown), [], JSON.stringify(options));
    assert.equal(await shown.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth), 0, 'nothing is wider than the page');
    if (shown !== page) await shown.context().close();
  }
});

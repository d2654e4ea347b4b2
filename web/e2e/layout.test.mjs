// The layout from a phone to a desktop: no part of the page is cut, shifted or pushed out.

import assert from 'node:assert/strict';
import { after, afterEach, before, test } from './suite.mjs';
import { connected, launch, open, send } from './browser.mjs';
import { until } from './server.mjs';
import { birthday, Source } from './source.mjs';

let source;
let browser;

before(async () => {
  source = await Source.start();
  browser = await launch();
});
afterEach(async () => {
  for (const context of browser.contexts()) await context.close();
});
after(async () => {
  await browser?.close();
  await source?.stop();
});

const box = (page, selector) => page.$eval(selector, (node) => node.getBoundingClientRect().toJSON());
const touch = { isMobile: true, hasTouch: true };

test('a phone in landscape and a zoomed window show the list beside the stage', async () => {
  const phone = await open(browser, source, { viewport: { width: 844, height: 390 }, ...touch });
  const zoomed = await open(browser, source, { viewport: { width: 720, height: 450 } });
  for (const [page, viewport] of [[phone, { width: 844, height: 390 }], [zoomed, { width: 720, height: 450 }], [zoomed, { width: 640, height: 360 }]]) {
    await page.setViewportSize(viewport);
    const [stage, list, composer] = await Promise.all(['#stage', '#list', '#composer'].map((selector) => box(page, selector)));
    assert.ok(list.left >= stage.right, 'beside');
    assert.ok(list.height >= viewport.height * 0.6, `the list has ${list.height}`);
    assert.ok(stage.height >= viewport.height * 0.4, `the stage has ${stage.height}`);
    assert.ok(composer.bottom <= viewport.height && composer.top >= stage.bottom);
    const wide = await page.evaluate(() => document.documentElement.scrollWidth);
    assert.ok(wide <= viewport.width, `${wide} wide`);
  }
});

test('a hint moves neither the stage nor the list', async () => {
  const page = await open(browser, source);
  for (const viewport of [{ width: 1440, height: 900 }, { width: 390, height: 844 }, { width: 844, height: 390 }]) {
    await page.setViewportSize(viewport);
    await page.reload();
    // The composer comes with the first hello.
    await connected(page);
    const boxes = () => Promise.all(['#stage', '#list', '#text'].map((selector) => box(page, selector)));
    const before = await boxes();
    await page.click('[data-offer=super]');
    await until('the hint', async () => /Write the text/.test(await page.textContent('#hint')));
    assert.deepEqual(await boxes(), before);
  }
});

test('the top bar of a disconnected page fits on a phone, in both languages', async () => {
  for (const locale of ['en-US', 'zh-CN']) {
    source.refusal = null;
    const page = await open(browser, source, { viewport: { width: 390, height: 780 }, ...touch, locale });
    source.refusal = { code: 'overloaded', close: 4102, retry_after_ms: 60_000 };
    source.close('unavailable', 4103);
    await page.waitForSelector('#now:not([hidden])');
    for (const width of [390, 360]) {
      await page.setViewportSize({ width, height: 780 });
      await until('the countdown is long', async () => /[56]\d/.test(await page.textContent('#state-text')));
      const { right } = await box(page, '#language');
      assert.ok(right <= width, `${locale}, ${width} px: the last button ends at ${right}`);
    }
  }
  source.refusal = null;
});

test('a long super chat ends in an ellipsis, and its last line is not cut', async () => {
  const page = await open(browser, source, { viewport: { width: 1440, height: 900 } });
  source.say({ type: 'super_chat', user: 'u', name: 'Ann', text: '祝你生日快乐，天天开心！'.repeat(15), amount_minor: 3_000, currency: 'CNY' });
  await page.waitForSelector('.banner.super');
  const words = await page.$eval('.banner-words', (node) => {
    const style = getComputedStyle(node);
    return { lines: node.clientHeight / parseFloat(style.lineHeight), clamp: style.webkitLineClamp, cut: node.scrollHeight > node.clientHeight };
  });
  assert.equal(words.clamp, '3');
  assert.ok(words.cut);
  assert.ok(Math.abs(words.lines - 3) < 0.05, `${words.lines} lines`);
  await page.context().close();
});

test('the button for new messages has one line', async () => {
  const page = await open(browser, source, { viewport: { width: 844, height: 390 } });
  source.say(...Array.from({ length: 60 }, birthday()));
  await until('rows', async () => (await page.$$('#list .row')).length >= 60);
  await until('the button shows', async () => {
    // A flush of the list that was under way may go to the end once more.
    await page.$eval('#list', (list) => list.scrollTo(0, 0));
    source.say(birthday()());
    return page.isVisible('#newer');
  });
  assert.ok((await box(page, '#newer')).height < 40);
  await page.context().close();
});

test('an announcement on a phone is wide and covers neither the badge nor the button', async () => {
  const page = await open(browser, source, { viewport: { width: 390, height: 844 }, ...touch });
  source.say({ type: 'signal', signal: 'announcement', text: 'The stream moves to another studio in five minutes, please stay.' });
  await page.waitForSelector('#announcement:not([hidden])');
  const [stage, announcement, live, toggle] = await Promise.all(['#stage', '#announcement', '.live', '#toggle'].map((selector) => box(page, selector)));
  assert.ok(announcement.width > stage.width * 0.8, `${announcement.width} of ${stage.width}`);
  assert.ok(announcement.height < stage.height / 3, `${announcement.height} of ${stage.height}`);
  assert.ok(announcement.top >= live.bottom && announcement.top >= toggle.bottom - 4);
  await page.context().close();
});

test('a text of 200 letters on a phone breaks in the list and fits on the stage', async () => {
  const page = await open(browser, source, { viewport: { width: 390, height: 844 }, ...touch });
  source.say({ type: 'chat', text: 'x'.repeat(200), style: { mode: 'top', size: 'large', color: 0xffffff } });
  const node = await page.waitForSelector('#flight .danmaku', { state: 'attached' });
  const [flying, stage] = [await node.boundingBox(), await box(page, '#stage')];
  assert.ok(flying.x >= stage.x && flying.x + flying.width <= stage.right);
  assert.ok((await page.$eval('#list', (list) => list.scrollWidth - list.clientWidth)) <= 0);
  await send(page, 'a text');
  await page.context().close();
});

test("the viewer's own message has one line as others, and twelve reactions widen no page", async () => {
  const names = ['clap', 'fire', 'laugh', 'wow', 'heart', 'cry', 'party', 'ok', 'rose', 'star', 'a_long_name_of_16', 'plus_1'].map((name) => name.slice(0, 16));
  const settings = { version: 1, value: { title: 'demo', stream_started_at_ms: 1, reactions: names } };
  for (const options of [{ viewport: { width: 1280, height: 720 } }, { viewport: { width: 700, height: 800 } }, { viewport: { width: 390, height: 844 }, ...touch }, { viewport: { width: 844, height: 390 }, ...touch }]) {
    const page = await open(browser, source, options);
    source.say({ type: 'chat', text: 'of another' }, { type: 'chat', user: 'guest-1', name: 'Me', text: 'my own' }, { type: 'signal', signal: 'reactions', names, state: { settings } });
    await until('both rows and the reactions', () => page.evaluate(() => document.querySelector('#list .row.own') && document.querySelector('[data-reaction=plus_1]')));
    const rows = await page.$$eval('#list .row', (all) => all.slice(-2).map((row) => Math.round(row.getBoundingClientRect().height)));
    assert.equal(rows[0], rows[1], 'the height of a row');
    assert.ok((await page.evaluate(() => document.documentElement.scrollWidth - innerWidth)) <= 0, `${JSON.stringify(options.viewport)} is wide enough`);
    const [stage, composer] = await Promise.all(['#stage', '#composer'].map((selector) => box(page, selector)));
    assert.ok(stage.height >= 120 && composer.bottom <= options.viewport.height, `${JSON.stringify([stage, composer])}`);
    await page.context().close();
  }
});

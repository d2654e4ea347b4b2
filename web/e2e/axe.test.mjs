// Accessibility: axe-core's rules for WCAG 2.2 A and AA and its best practices in the main states of
// the page, the order of the focus, and the announcements for screen readers in a flood.

import assert from 'node:assert/strict';
import { after, afterEach, before, test } from './suite.mjs';
import { LOOKS, violations } from './axe.mjs';
import { launch, open } from './browser.mjs';
import { pause, until } from './server.mjs';
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

/** Opens each panel in turn. */
async function panels(page, rules) {
  const row = '#list .row.chat:has-text("be kind")';
  await page.$eval(`${row} .who`, (who) => who.scrollIntoView());
  await page.click(`${row} .who`);
  await page.waitForSelector('.menu');
  assert.deepEqual(await violations(page, '.menu', rules), [], 'the menu of a message');
  await page.click('.menu [role=menuitem] >> nth=0');
  assert.ok(await page.isVisible('#reply-bar'));
  await page.fill('#text', '/');
  await page.waitForSelector('#suggestions:not([hidden])');
  assert.deepEqual(await violations(page, ':root', rules), [], 'a reply, and commands');
  await page.fill('#text', 'a text');
  for (const [button, panel] of [['#emote-button', '#emote-panel'], ['#gift-button', '#gift-panel'], ['#super-button', '#super-panel']]) {
    await page.click(button);
    assert.ok(await page.isVisible(panel), panel);
    assert.deepEqual(await violations(page, panel, rules), [], panel);
  }
  await page.click('#settings-open');
  await page.fill('#blocked-word', 'spoiler');
  await page.press('#blocked-word', 'Enter');
  await page.waitForSelector('#blocked-words li');
  assert.deepEqual(await violations(page, ':root', rules), [], 'the settings');
  await page.click('#settings-close');
  await page.fill('#text', '');
}

function everything() {
  source.say(
    ...Array.from({ length: 20 }, birthday()),
    { type: 'chat', name: '小夜', role: 'host', text: 'hello', attrs: { badges: ['member/12', 'vip', 'other'], level: 21 } },
    { type: 'chat', name: 'Mo', role: 'moderator', text: 'be kind' },
    { type: 'gift', name: 'Cy', gift: { name: 'Rocket', count: 2, price_minor: 100 } },
    { type: 'super_chat', name: 'Di', text: 'happy birthday', amount_minor: 3_000, currency: 'CNY' },
    { type: 'signal', signal: 'announcement', text: 'five minutes' },
    { type: 'signal', signal: 'slow_mode', secs: 5 },
  );
}

for (const [name, options, rules] of [
  ['desktop', { viewport: { width: 1440, height: 900 }, colorScheme: 'dark' }],
  ['light desktop', { viewport: { width: 1280, height: 720 }, colorScheme: 'light' }, LOOKS],
  ['phone', { viewport: { width: 390, height: 844 }, isMobile: true, hasTouch: true, locale: 'zh-CN', colorScheme: 'light' }],
  ['landscape', { viewport: { width: 844, height: 390 }, isMobile: true, hasTouch: true }, LOOKS],
]) {
  test(`${name}: the page breaks no rule of axe in any state`, async () => {
    source.refusal = null;
    // Without motion the pictures of axe's own work are not painted sixty times a second meanwhile.
    const page = await open(browser, source, { ...options, reducedMotion: 'reduce' });
    assert.deepEqual(await violations(page, ':root', rules), [], 'a quiet room');
    everything();
    await page.waitForSelector('#list .row.super');
    await page.waitForSelector('#banners .banner');
    assert.deepEqual(await violations(page, ':root', rules), [], 'a busy room');
    await page.click('#style-button');
    await page.fill('#text', 'x'.repeat(201));
    assert.deepEqual(await violations(page, ':root', rules), [], 'the style panel and a text that is too long');
    await page.fill('#text', '');
    await panels(page, rules);
    await until('the pill', async () => {
      await page.$eval('#list', (list) => list.scrollTo(0, 0));
      source.say(birthday()());
      return page.isVisible('#newer');
    });
    assert.deepEqual(await violations(page, ':root', rules), [], 'reading above');
    source.refusal = { code: 'overloaded', close: 4102, retry_after_ms: 60_000 };
    source.close('unavailable', 4103);
    await page.waitForSelector('#now:not([hidden])');
    assert.deepEqual(await violations(page, ':root', rules), [], 'disconnected');
    source.refusal = { code: 'room_closed', close: 4015 };
    // The page may reconnect by itself meanwhile; the button is then gone already.
    await page.$eval('#now', (button) => button.click());
    await page.waitForSelector('#curtain:not([hidden])');
    source.refusal = null;
    assert.deepEqual(await violations(page, ':root', rules), [], 'the end');
    await page.context().close();
  });
}

test('the keyboard opens and closes the style panel, and its colours have names', async () => {
  const page = await open(browser, source);
  await page.focus('#style-button');
  await page.keyboard.press('Enter');
  const focused = () => page.evaluate(() => document.activeElement.value || document.activeElement.id);
  assert.equal(await focused(), 'scroll');
  await page.keyboard.press('Tab');
  assert.equal(await focused(), 'normal');
  await page.keyboard.press('Tab');
  assert.equal(await page.evaluate(() => document.activeElement.getAttribute('aria-label')), 'White');
  await page.keyboard.press('Tab');
  assert.equal(await focused(), 'text');
  await page.focus('#style-button');
  await page.keyboard.press('Shift+Tab');
  await page.focus('#modes input:checked');
  await page.keyboard.press('Escape');
  assert.equal(await focused(), 'style-button');
  assert.ok(await page.isHidden('#style-panel'));
  await page.context().close();
});

/** Notes for each row of money whether screen readers read the list when the row came. */
function noteLiveRegion(page) {
  return page.evaluate(() => {
    window.lives = [];
    const note = (row) => window.lives.push({ row: row.textContent, live: document.querySelector('#log').ariaLive });
    const observer = new MutationObserver((changes) => changes.flatMap(({ addedNodes }) => [...addedNodes]).filter((row) => row.matches('.gift, .super')).forEach(note));
    observer.observe(document.querySelector('#list'), { childList: true });
  });
}

let senders = 0;

/**
 * Sends messages in a flood until one is announced. A page that got too little of the processor has shown few rows
 * in a second, so that its list is read again: then the row itself is heard, and no announcement may be asked for.
 */
async function heardInFlood(page, words, body) {
  await until('a message of the flood is announced', async () => {
    const name = `Sender ${(senders += 1)}.`;
    source.say({ ...body, user: name, name });
    const live = await until('its row', () => page.evaluate((of) => window.lives.find(({ row }) => row.includes(of))?.live, name));
    return live === 'off' && until('it is announced', async () => (await page.textContent('#spoken')) === `${name}${words}`);
  });
}

test('in a flood screen readers hear only gifts, super chats and announcements', async () => {
  const page = await open(browser, source);
  // The page of the past is not read either.
  await page.waitForSelector('#list[data-past=shown]');
  await noteLiveRegion(page);
  // The list was read until these rows came together.
  source.say(...Array.from({ length: 30 }, birthday()), { type: 'gift', user: 'cy', name: 'Cy', gift: { name: 'Rocket', count: 2, price_minor: 100 } });
  await until('the first gift is announced', async () => (await page.textContent('#spoken')) === 'Cy sent Rocket ×2');
  const stop = source.chat(30);
  await heardInFlood(page, ' (¥30): well done', { type: 'super_chat', text: 'well done', amount_minor: 3_000, currency: 'CNY' });
  source.say({ type: 'signal', signal: 'announcement', text: 'five minutes' });
  await page.waitForSelector('#announcement[role=status]:not([hidden])');
  stop();
  await until('the log speaks again', async () => {
    source.say({ type: 'chat', text: 'one more' });
    await pause(400);
    return (await page.getAttribute('#log', 'aria-live')) === 'polite';
  });
  await page.context().close();
});

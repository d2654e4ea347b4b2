// Pictures in a room and in letters, from the file dialog of one page to the list, the stage and the dialog of another,
// with the real server and its role media.

import assert from 'node:assert/strict';
import { test } from './suite.mjs';
import { violations } from './axe.mjs';
import { newContext, open, send } from './browser.mjs';
import { acquaint, openThread, reader, request, shown, write } from './letters.mjs';
import { painted } from './painted.mjs';
import { rig } from './rig.mjs';
import { freePorts, pause, Server, until } from './server.mjs';

const started = rig(async () => {
  const [port] = await freePorts();
  return Server.startWith({ MEDIA__LISTEN: JSON.stringify([`127.0.0.1:${port}`]) });
});

const visit = async (user, more = {}) => open(started.browser, started.server, { token: await started.server.token(user), ...more });

/** Sets who may send pictures in the room. */
async function allow(role) {
  const token = await started.server.token('mia', 'moderator');
  const body = { id: `rule-${role}-${Math.random()}`, action: { type: 'speak', rule: { media_role_min: role } } };
  const answer = await started.server.post(token, body, 'demo', 'actions');
  assert.equal(answer.status, 200, JSON.stringify(answer));
}

/** Chooses a file in the composer, and waits until it can be sent. */
async function attach(page, file) {
  await page.waitForSelector('#picture-button:not([hidden])');
  await page.setInputFiles('#picture-file', file);
  await page.waitForSelector('.attached[data-state=ready]');
}

test('a picture goes from one page to the list and the stage of another, and no row moves', async () => {
  await allow('viewer');
  const [ann, bob] = [await visit('ann'), await visit('bob')];
  // Its page knows the media hosts then.
  await bob.waitForSelector('#picture-button:not([hidden])');
  // The size of the box when the row appears, before any byte of the picture.
  await bob.evaluate(() => {
    window.first = null;
    new MutationObserver(() => {
      const box = document.querySelector('#list .picture');
      if (box && !window.first) window.first = [box.getBoundingClientRect().width, box.getBoundingClientRect().height, box.closest('.row').getBoundingClientRect().height];
    }).observe(document.querySelector('#list'), { childList: true });
  });
  await attach(ann, await painted(ann, 1_600, 1_000));
  await send(ann, 'from the roof');
  await bob.waitForSelector('#list .picture.there');
  const found = await bob.$eval('#list .picture', (box) => {
    const image = box.querySelector('img');
    const { width, height } = box.getBoundingClientRect();
    return { size: [width, height, box.closest('.row').getBoundingClientRect().height], pixels: image.naturalWidth, label: box.getAttribute('aria-label'), placeholder: box.querySelector('canvas')?.width };
  });
  assert.deepEqual(found.size, await bob.evaluate(() => window.first));
  assert.deepEqual(found.size.slice(0, 2), [240, 150]);
  assert.deepEqual([found.pixels, found.label, found.placeholder], [480, 'Picture from ann', 32]);
  const flying = await bob.waitForSelector('#flight .danmaku img', { state: 'attached' });
  assert.match(await flying.evaluate((image) => image.src), /\/v1\/media\/[0-9a-f]{64}\/96\?/);
  assert.match(await bob.textContent('#flight .danmaku'), /from the roof/);
  await until('the composer is empty', async () => (await ann.isHidden('.attached')) && (await ann.inputValue('#text')) === '');
  await ann.waitForSelector('#list .picture.there');
  for (const page of [ann, bob]) assert.deepEqual(page.faults, []);
  assert.deepEqual(await violations(bob, '#list'), []);
});

test('a click or the keyboard opens the picture large, and Escape leads back', async () => {
  await allow('viewer');
  const page = await visit('cat');
  await attach(page, await painted(page, 1_600, 900));
  await send(page, 'look closer');
  const box = page.locator('#list .row:has-text("look closer") .picture.there');
  await box.click();
  await page.waitForFunction(() => document.querySelector('.viewer[open] img')?.naturalWidth === 1_280);
  assert.equal(await page.$eval('.viewer img', (image) => image.alt), 'Picture from cat');
  assert.deepEqual(await violations(page, '.viewer'), []);
  await page.keyboard.press('Escape');
  await until('it is closed', async () => (await page.$('.viewer[open]')) === null);
  const isOnPicture = () => page.evaluate(() => document.activeElement.classList.contains('picture'));
  assert.ok(await isOnPicture(), 'the focus is back');
  await page.focus('#list');
  for (let presses = 0; presses < 3 && !(await isOnPicture()); presses += 1) await page.keyboard.press('ArrowUp');
  await page.keyboard.press('Enter');
  await page.waitForSelector('.viewer[open] img');
  assert.deepEqual(page.faults, []);
});

test('a newcomer sees the picture from the history, with an address that is good now', async () => {
  await allow('viewer');
  const page = await visit('dan');
  await attach(page, await painted(page, 300, 300, 'square.png'));
  await send(page, 'for newcomers');
  await page.waitForSelector('#list .picture.there');
  // The history has a message about a second after it was posted.
  await until('the history has it', async () => (await (await fetch(`${started.server.origin}/v1/rooms/demo/history`)).text()).includes('for newcomers'));
  const late = await visit('eve');
  await late.locator('#list .row:has-text("for newcomers") .picture.there').waitFor();
  assert.deepEqual(late.faults, []);
});

test('a file that the server refuses stays with its sentence, and the text can be sent without it', async () => {
  await allow('viewer');
  const page = await visit('fay');
  await page.waitForSelector('#picture-button:not([hidden])');
  await page.setInputFiles('#picture-file', { name: 'a.png', mimeType: 'image/png', buffer: Buffer.from('not a picture') });
  await page.waitForSelector('.attached[data-state=refused]');
  assert.match(await page.textContent('.attached-words'), /Not accepted: \w+ \w+/);
  await send(page, 'then only words');
  await page.locator('#list .row:has-text("then only words")').waitFor();
  await page.click('.attached button');
  assert.ok(await page.isHidden('.attached'));
});

test('the button is there for those whom the room lets send pictures', async () => {
  await allow('off');
  const page = await visit('gil');
  const guest = await open(started.browser, started.server);
  assert.equal(await page.$('#picture-button:not([hidden])'), null);
  await allow('moderator');
  const mod = await open(started.browser, started.server, { token: await started.server.token('mia', 'moderator') });
  await mod.waitForSelector('#picture-button:not([hidden])');
  assert.equal(await page.$('#picture-button:not([hidden])'), null);
  await allow('viewer');
  await page.waitForSelector('#picture-button:not([hidden])');
  assert.equal(await guest.$('#picture-button'), null, 'guests may not upload');
  await allow('off');
  await until('it is gone', () => page.isHidden('#picture-button'));
});

/** Chooses a file in an open conversation, and sends it with a text. Returns the states that the sender was shown. */
async function sendLetter(page, file, text) {
  await page.waitForSelector('.letter-box .picture-button');
  await page.evaluate(() => {
    window.states = [];
    const bar = document.querySelector('.letter-box .attached');
    new MutationObserver(() => window.states.push(bar.dataset.state)).observe(bar, { attributeFilter: ['data-state'] });
  });
  await page.setInputFiles('.letter-box .picture-file', file);
  await page.waitForSelector('.letter-box .attached[data-state=ready]');
  await page.fill('.letter-text', text);
  await page.press('.letter-text', 'Enter');
  await page.waitForSelector('.letter-box .attached', { state: 'hidden' });
  return page.evaluate(() => [...new Set(window.states)]);
}

test('a picture goes by letter and to a group, is shown large by keyboard, and a stranger waits until it is opened', async () => {
  const { server, browser } = started;
  const direct = await acquaint(server, 'ivy', 'jon');
  const [ivy, jon] = [await reader(browser, server, 'ivy'), await reader(browser, server, 'jon')];
  await openThread(jon, 'Ivy');
  await openThread(ivy, 'Jon');
  await jon.evaluate(() => {
    new MutationObserver(() => {
      const { width, height } = document.querySelector('.letter .picture')?.getBoundingClientRect() ?? {};
      if (width) window.first ??= [width, height];
    }).observe(document.querySelector('.letter-list'), { childList: true });
  });
  const states = await sendLetter(ivy, await painted(ivy, 1_600, 1_000), 'from the pier');
  assert.deepEqual(states.filter((state) => state !== 'preparing'), ['sending', 'checking', 'ready', '']);
  for (const page of [jon, ivy]) await page.waitForSelector('.letter:not(.outgoing) .picture.there');
  const found = await jon.$eval('.letter .picture', (box) => {
    const { width, height } = box.getBoundingClientRect();
    return { size: [width, height], pixels: box.querySelector('img').naturalWidth, label: box.getAttribute('aria-label'), placeholder: box.querySelector('canvas')?.width };
  });
  const { size, ...rest } = found;
  assert.deepEqual(rest, { pixels: 480, label: 'Picture from Ivy', placeholder: 32 });
  assert.ok(size[0] > 200 && Math.abs(size[0] / size[1] - 1.6) < 0.01, `${size}`);
  assert.deepEqual(await jon.evaluate(() => window.first), size, 'no row moves');
  assert.equal((await shown(jon)).at(-1), 'from the pier');
  assert.deepEqual(await violations(jon, '.letters'), []);
  await jon.focus('.letter-list');
  for (const key of ['ArrowUp', 'ArrowUp', 'Enter']) await jon.keyboard.press(key);
  await jon.waitForFunction(() => document.querySelector('.viewer[open] img')?.naturalWidth === 1_280);
  await jon.keyboard.press('Escape');
  await until('the focus is back', () => jon.evaluate(() => document.activeElement.matches('.letter .picture')));

  const { conversation: group } = await request(server, 'ivy', 'POST', '/v1/groups', { title: 'Pier walkers', room: 'demo', join: 'open', history: 'all' });
  await request(server, 'jon', 'POST', `/v1/groups/${group}/join`);
  await jon.click('.letters-head [aria-label=Back]');
  await openThread(jon, 'Pier walkers');
  await ivy.click('.letters-head [aria-label=Back]');
  await openThread(ivy, 'Pier walkers');
  await sendLetter(ivy, await painted(ivy, 300, 600, 'tower.png'), '');
  await jon.waitForSelector('.letter.other .picture.there');
  await jon.click('.letters-head [aria-label=Back]');
  await jon.waitForSelector('.conversation:has-text("Pier walkers") .conversation-words:has-text("[image]")');

  await write(server, 'kai', 'jon', 'may I show you something?');
  const kai = await reader(browser, server, 'kai');
  await openThread(kai, 'jon');
  await sendLetter(kai, await painted(kai, 500, 500, 'square.png'), '');
  await jon.click('.conversation.folder:has-text("Requests (1)")');
  await jon.click('.conversation:has-text("[image]")');
  await jon.waitForSelector('.letter .picture canvas');
  // Longer than a picture of the list takes.
  await pause(500);
  assert.equal(await jon.$('.letter .picture img'), null, 'no byte of a stranger is asked for');
  await jon.click('.letter-banner .chip:text-is("Accept")');
  await jon.waitForSelector('.letter .picture.there');

  // At a device whose clock is three hours on, all addresses have ended.
  const late = await reader(browser, server, 'ivy', { prepare: (page) => page.clock.install({ time: Date.now() + 3 * 3_600_000 }) });
  await openThread(late, 'Jon');
  await late.waitForSelector('.letter .picture.there');
  assert.deepEqual(late.asked.flatMap(({ pathname }) => (pathname.includes(direct) ? pathname : [])), [`/v1/conversations/${direct}/messages`], 'one request for new addresses');
  for (const page of [ivy, jon, kai, late]) assert.deepEqual(page.faults, []);
});

/** Opens the console of a moderator. `faults` lists script errors and policy violations. */
async function moderate() {
  const desk = await (await newContext(started.browser, { viewport: { width: 1500, height: 1000 }, locale: 'en-US' })).newPage();
  desk.faults = [];
  desk.on('pageerror', ({ message }) => desk.faults.push(message));
  desk.on('console', (line) => line.text().includes('Content Security Policy') && desk.faults.push(line.text()));
  await desk.goto(`${started.server.origin}/moderate/?room=demo#token=${await started.server.token('mia', 'moderator')}`);
  return desk;
}

test('a moderator sees pictures in the console before acting, and switches them off there', async () => {
  await allow('viewer');
  const viewer = await visit('hal');
  await attach(viewer, await painted(viewer, 800, 400));
  await send(viewer, 'for moderators');
  const desk = await moderate();
  const picture = desk.locator('#chat-list .row:has-text("for moderators") .picture');
  await until('the bytes are there', () => picture.locator('img').evaluate((image) => image.naturalWidth > 0));
  const found = await picture.evaluate((link) => ({ size: [link.offsetWidth, link.offsetHeight], href: link.href, rel: link.rel, label: link.getAttribute('aria-label') }));
  assert.deepEqual([found.size, found.rel, found.label], [[96, 48], 'noopener noreferrer', 'Picture from hal, large in a new tab']);
  assert.match(found.href, /^http:\/\/127\.0\.0\.1:\d+\/v1\/media\/[0-9a-f]{64}\/1?[0-9]{3}\?/);
  assert.equal(await desk.inputValue('#pictures'), '1');
  await desk.selectOption('#pictures', '0');
  await until('the viewer has no button', () => viewer.isHidden('#picture-button'));
  assert.deepEqual(await violations(desk, '#chat-list'), []);
  assert.deepEqual(desk.faults, []);
});

test('a moderator finds a picture in the gallery and removes it, and it is gone for a viewer', async () => {
  await allow('viewer');
  const [lea, max] = [await visit('lea'), await visit('max')];
  for (const [width, text] of [[640, 'to stay in the room'], [480, 'to go from the room'], [480, 'the same once more']]) {
    await attach(lea, await painted(lea, width, 320, `${width}.png`));
    await send(lea, text);
    await max.locator(`#list .row:has-text("${text}") .picture.there`).waitFor();
  }
  const address = await max.$eval('#list .row:has-text("to go from the room") .picture img', (image) => image.src);
  assert.equal((await fetch(address)).status, 200);
  const desk = await moderate();
  const pictures = desk.locator('#gallery-list .gallery-one');
  // The history has a message about a second after it was posted.
  await until('all are in the gallery', async () => {
    await desk.click('#gallery-load');
    return (await pictures.filter({ hasText: 'lea' }).count()) === 3;
  });
  await until('the bytes are there', () => pictures.first().locator('img').evaluate((image) => image.naturalWidth > 0));
  assert.deepEqual(await violations(desk, '#gallery-list'), []);
  await pictures.nth(1).locator('button').click();
  assert.match(await desk.textContent('#confirm-title'), /Remove the picture from .*lea/);
  await desk.click('#confirm-go');
  await until('it is gone for the viewer', async () => (await max.locator('#list .row:has-text("to go from the room") .picture').count()) === 0);
  await until('it is gone from the gallery', async () => (await pictures.filter({ hasText: 'lea' }).count()) === 2);
  assert.equal(await max.locator('#list .row:has-text("to stay in the room") .picture.there').count(), 1);
  await until('its address has ended', async () => (await fetch(address)).status !== 200);
  // The other message with the picture is still there, and says why it shows none.
  const late = await visit('ned', { locale: 'zh-CN' });
  const removed = late.locator('#list .row:has-text("the same once more") .picture-removed');
  assert.equal(await removed.textContent(), '图片已被移除');
  await late.click('#language');
  await until('the other language', async () => (await removed.textContent()) === 'The picture was removed');
  assert.deepEqual(await violations(late, '#list'), []);
  for (const page of [lea, max, late, desk]) assert.deepEqual(page.faults, []);
});

test('a picture that waits for a moderator is large in the queue, and is in the room when it is approved', async () => {
  await allow('viewer');
  const token = await started.server.token('mia', 'moderator');
  const rule = (on) => started.server.post(token, { id: `review-${on}`, action: { type: 'speak', rule: { media_review: on } } }, 'demo', 'actions');
  assert.equal((await rule(true)).status, 200);
  const [ora, pat] = [await visit('ora'), await visit('pat')];
  const desk = await moderate();
  await attach(ora, await painted(ora, 900, 600));
  await send(ora, '');
  const review = desk.locator('#review-list .review');
  const picture = review.locator('.picture');
  await until('the bytes are there', () => picture.locator('img').evaluate((image) => image.naturalWidth > 0));
  assert.deepEqual(await picture.evaluate((link) => [link.offsetWidth, link.offsetHeight, link.getAttribute('aria-label')]), [240, 160, 'Picture from ora, large in a new tab']);
  assert.deepEqual(await violations(desk, '#review-list'), []);
  await review.locator('[data-act=approve]').click();
  await pat.locator('#list .row:has-text("ora") .picture.there').waitFor();
  assert.equal((await rule(false)).status, 200);
  for (const page of [ora, pat, desk]) assert.deepEqual(page.faults, []);
});

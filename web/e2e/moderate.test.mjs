// The moderator console and a viewer beside it, on one server: each action is seen by the viewer, and hostile
// texts run nothing in either.

import assert from 'node:assert/strict';
import { after, before, test } from './suite.mjs';
import { violations } from './axe.mjs';
import { chats, launch, newContext, open } from './browser.mjs';
import { CORPUS, STRANGERS } from './corpus.mjs';
import { Server, until } from './server.mjs';

let server;
let browser;
let moderator;
let viewer;
const tokens = {};
let posts = 0;

before(async () => {
  [server, browser] = await Promise.all([Server.start(), launch()]);
  const roles = { mia: 'moderator', max: 'moderator', ann: 'viewer', bo: 'viewer', mallory: 'viewer' };
  await Promise.all(Object.entries(roles).map(async ([user, role]) => (tokens[user] = await server.token(user, role))));
  moderator = await visit({ query: '?room=demo', token: tokens.mia });
  await moderator.waitForSelector('#app:not([hidden])');
  await moderator.waitForSelector('#state[data-state=open]');
  viewer = await open(browser, server, { token: tokens.ann });
});
after(async () => {
  await browser?.close();
  await server?.stop();
});

/** Opens the console, and lists script errors, dialogs and policy violations in `page.faults`. */
async function visit({ query = '', token = null, ...options } = {}) {
  const context = await newContext(browser, { viewport: { width: 1500, height: 1000 }, locale: 'en-US', ...options });
  const page = await context.newPage();
  page.faults = [];
  page.on('pageerror', (error) => page.faults.push(`error: ${error.message}`));
  page.on('dialog', (dialog) => {
    page.faults.push(`dialog: ${dialog.message()}`);
    void dialog.dismiss();
  });
  page.on('console', (message) => {
    if (message.text().includes('Content Security Policy')) page.faults.push(`policy: ${message.text()}`);
  });
  await page.goto(`${server.origin}/moderate/${query}${token ? `#token=${token}` : ''}`);
  return page;
}

async function say(user, text, more = {}) {
  posts += 1;
  return server.post(tokens[user], { type: 'chat', id: `e2e-${posts}`, text, ...more });
}

async function call(user, method, path, body) {
  const answer = await fetch(`${server.origin}/v1/rooms/demo/${path}`, { method, headers: { Authorization: `Bearer ${tokens[user]}` }, body: body && JSON.stringify(body) });
  return { status: answer.status, ...(await answer.json()) };
}

const seen = (page, text) => until(`it shows: ${text}`, async () => (await page.textContent('body')).includes(text));
const gone = (page, text) => until(`it is gone: ${text}`, async () => !(await page.textContent('body')).includes(text));
const rows = (page, text) => page.locator('#chat-list .row', { hasText: text });
const result = (text) => until(`the action is listed: ${text}`, async () => (await moderator.textContent('#results')).replaceAll(/[\u2066-\u2069]/g, '').includes(text));

/** Posts a text, and picks its row in the console with a click. */
async function pick(user, text) {
  const answer = await say(user, text);
  assert.equal(answer.outcome, 'broadcast', JSON.stringify(answer));
  await moderator.keyboard.press('Escape');
  await moderator.mouse.move(5, 5);
  await rows(moderator, text).waitFor();
  await rows(moderator, text).click({ position: { x: 30, y: 8 } });
  await seen(viewer, text);
  return answer.sequence;
}

test('only a token that moderates the room signs in, and it stays in memory', async () => {
  const page = await visit({ query: '?room=demo' });
  assert.equal(await page.evaluate(() => document.activeElement.id), 'token');
  for (const [token, expected] of [['wrong', /not valid/], [tokens.ann, /does not moderate/]]) {
    await page.fill('#token', token);
    await page.press('#token', 'Enter');
    await until('the refusal', async () => expected.test(await page.textContent('#sign-in-problem')));
    assert.ok(await page.isHidden('#app'));
  }
  await page.context().close();
  const kept = await moderator.evaluate(() => [location.href, document.cookie, JSON.stringify(localStorage), JSON.stringify(sessionStorage), document.documentElement.outerHTML].join());
  assert.ok(!kept.includes(tokens.mia), 'no URL, storage or element has the token');
});

test('a message is deleted, pinned and announced, by keys and by pointer', async () => {
  await pick('bo', 'a message to delete');
  await moderator.keyboard.press('d');
  await gone(viewer, 'a message to delete');
  await rows(moderator, 'a message to delete').and(moderator.locator('.gone')).waitFor();
  await pick('bo', 'a message to pin');
  await moderator.click('.tools [data-act=pin]');
  await until('the viewer sees the pin', async () => /a message to pin/.test(await viewer.textContent('#pinned')));
  await moderator.waitForSelector('#pinned:not([hidden])');
  await moderator.keyboard.press('z');
  await until('the undo unpins', async () => !(await viewer.isVisible('#pinned')));
  await result('Taken back: Pinned a message of bo');
  await moderator.fill('#announce-text', 'five <b>minutes</b>');
  await moderator.press('#announce-text', 'Enter');
  await seen(viewer, 'five <b>minutes</b>');
});

test('the chat pauses under the pointer, by a key, and while a message is selected', async () => {
  await moderator.keyboard.press('Escape');
  const state = (pattern) => until(`the chat: ${pattern}`, async () => pattern.test(await moderator.textContent('#chat-state')));
  await moderator.hover('#chat-list');
  await state(/paused/);
  await say('bo', 'while it pauses');
  await state(/paused, [1-9]/);
  assert.equal(await rows(moderator, 'while it pauses').count(), 0);
  await moderator.mouse.move(5, 5);
  await rows(moderator, 'while it pauses').waitFor();
  await state(/live/);
  await moderator.keyboard.press(' ');
  await state(/paused/);
  await moderator.keyboard.press(' ');
  await moderator.keyboard.press('ArrowUp');
  await state(/paused/);
  assert.match(await moderator.textContent('#chat-list [aria-current=true]'), /while it pauses/);
  await moderator.keyboard.press('Escape');
  await state(/live/);
});

test('a time-out, its undo, a ban and a purge reach the user and the viewers', async () => {
  await pick('bo', 'words of bo');
  await moderator.keyboard.press('2');
  await result('Muted bo for 10 min');
  assert.equal((await say('bo', 'not now')).error?.code, 'muted');
  await moderator.locator('#results .undo').first().click();
  await result('Taken back: Muted bo for 10 min');
  assert.equal((await say('bo', 'more words')).outcome, 'broadcast');
  await seen(viewer, 'more words');
  await moderator.keyboard.press('p');
  await moderator.click('#confirm-go');
  await gone(viewer, 'words of bo');
  await gone(viewer, 'more words');
  const other = await open(browser, server, { token: tokens.mallory });
  await pick('mallory', 'words of mallory');
  await moderator.keyboard.press('b');
  await seen(other, 'You were removed from this room');
  await moderator.keyboard.press('u');
  await until('the card has the ban', async () => /banned until/.test(await moderator.textContent('#card-limits')));
  assert.match(await moderator.textContent('#card-messages'), /words of mallory/);
  await moderator.click('#card-acts [data-act=unban]');
  await result('Unbanned mallory');
  await moderator.click('#card-close');
  await other.context().close();
});

test('a warning from the card reaches its user alone', async () => {
  await pick('ann', 'words of ann');
  await moderator.keyboard.press('u');
  await moderator.fill('#warn-text', 'no <i>links</i>, please');
  await moderator.press('#warn-text', 'Enter');
  await result('Warned ann');
  await seen(viewer, 'no <i>links</i>, please');
  assert.ok(!(await moderator.textContent('#chat-list')).includes('no <i>links</i>, please'));
  await moderator.click('#card-close');
});

test('slow mode, only moderators and the shield are set and taken back', async () => {
  await moderator.selectOption('#slow-mode', '30');
  await seen(viewer, '30 s');
  await moderator.check('#mute-all');
  await until('viewers may not post', async () => (await say('bo', 'x')).error?.code === 'room_muted');
  await moderator.uncheck('#mute-all');
  await moderator.selectOption('#slow-mode', '0');
  await moderator.click('#shield');
  await moderator.waitForSelector('#shield[aria-pressed=true]');
  await until('links are refused', async () => (await say('bo', 'see https://example.com')).error?.code === 'bad_text');
  await moderator.keyboard.press('s');
  await moderator.waitForSelector('#shield[aria-pressed=false]');
});

test('viewers get the room later while the delay is on, and super chats are ticked off', async () => {
  await moderator.keyboard.press('Escape');
  await moderator.mouse.move(5, 5);
  await moderator.selectOption('#delay', '10');
  await result('Viewers later by: 10 s');
  await moderator.waitForSelector('#state[data-state=open]');
  await until('it is the delay', async () => /Viewers get messages 10 s after/.test(await moderator.textContent('#chat-list')));
  // In force within a second: until then viewers get messages as the console does.
  const late = await until('a message is late', async () => {
    const text = `late message ${posts}`;
    await say('bo', text);
    await rows(moderator, text).waitFor();
    return !(await viewer.textContent('body')).includes(text) && text;
  });
  await moderator.selectOption('#delay', '0');
  await seen(viewer, late);
  await server.post(tokens.bo, { type: 'super_chat', id: 'top-1', text: 'read me', amount_minor: 3_000, currency: 'CNY' });
  await moderator.locator('.super', { hasText: 'read me' }).locator('input').check();
  await moderator.waitForSelector('.super.read');
  await moderator.keyboard.press('z');
  await moderator.waitForSelector('.super:not(.read)');
});

test('reactions of the room are chosen, taken back, and given up for those of the platform', async () => {
  const chosen = () => moderator.$$eval('#reaction-chips [aria-pressed=true]', (all) => all.map(({ dataset }) => dataset.reaction));
  const offered = () => viewer.$$eval('#reactions .react', (all) => all.map(({ dataset }) => dataset.reaction));
  await until('those of the platform', async () => String(await chosen()) === 'clap,fire,laugh,wow');
  await moderator.click('#reaction-chips [data-reaction=gg]');
  await moderator.click('#reaction-chips [data-reaction=wow]');
  await until('the viewer has the set', async () => String(await offered()) === 'clap,fire,laugh,gg');
  await moderator.keyboard.press('z');
  await until('the last click is taken back', async () => String(await offered()) === 'clap,fire,laugh,wow,gg');
  await moderator.click('#reaction-default');
  await until('those of the platform again', async () => String(await offered()) === 'clap,fire,laugh,wow' && String(await chosen()) === 'clap,fire,laugh,wow');
});

test('words are tried, saved, and send messages to review', async () => {
  await moderator.click('#word-add');
  await moderator.fill('.rule textarea', 'ending, *spoil');
  await moderator.fill('.rule input:not([type])', 'spoilers');
  await moderator.uncheck('.rule [type=checkbox]');
  await moderator.fill('#word-text', 'the e n d i n g');
  await moderator.press('#word-text', 'Enter');
  await moderator.waitForSelector('[data-verdict=review]');
  await moderator.click('#word-save');
  await result('Saved the words');
  const held = await until('the rule holds', async () => {
    const answer = await say('bo', `the ending, ${posts}`);
    return answer.review && answer;
  });
  assert.equal(held.limit.rule, 'moderation:words');
  await moderator.waitForSelector(`.review[data-id="${held.review}"]`);
  assert.equal(await moderator.textContent(`.review[data-id="${held.review}"] mark`), 'ending');
});

test('reviews are approved, denied and locked, and reports are decided', async () => {
  const row = async (id) => {
    await moderator.waitForSelector(`.review[data-id="${id}"]`);
    return { id, find: (selector) => moderator.locator(`.review[data-id="${id}"] ${selector}`), lock: (state) => moderator.waitForSelector(`.review[data-id="${id}"][data-lock=${state}]`) };
  };
  const { sequence } = await say('bo', 'an insult');
  await seen(viewer, 'an insult');
  const reviews = [(await say('bo', 'no spoilers here')).review, (await say('bo', 'a bad spoiler')).review, (await call('ann', 'POST', 'reports', { user: 'bo', sequence, reason: 'insults' })).review];
  const [good, bad, report] = await Promise.all(reviews.map(row));
  await good.find('[data-act=take]').click();
  await good.lock('own');
  assert.equal((await call('max', 'POST', `reviews/${good.id}`, { decision: 'deny' })).status, 409);
  assert.equal((await call('max', 'POST', `reviews/${bad.id}`, { decision: 'take' })).status, 200);
  await good.find('[data-act=approve]').click();
  await seen(viewer, 'no spoilers here');
  await bad.lock('other');
  assert.ok(await bad.find('[data-act=deny]').isDisabled());
  assert.equal((await call('max', 'POST', `reviews/${bad.id}`, { decision: 'release' })).status, 200);
  await bad.lock('free');
  await moderator.keyboard.press('Escape');
  const current = () => moderator.$$eval('.review[aria-current=true]', (found) => found[0]?.dataset.id);
  while ((await current()) !== report.id) await moderator.keyboard.press(']');
  await moderator.keyboard.press('x');
  await gone(viewer, 'an insult');
  await bad.find('[data-act=deny_and_mute]').click();
  await result('Denied and muted bo');
  assert.equal((await say('bo', 'x')).error?.code, 'muted');
  assert.ok(!(await viewer.textContent('body')).includes('a bad spoiler'));
});

test('a poll is opened, counted, closed, and its result stays', async () => {
  await moderator.fill('#poll-question', 'Which <i>way</i>?');
  await moderator.fill('#poll-options input >> nth=0', 'left');
  await moderator.fill('#poll-options input >> nth=1', 'right');
  await moderator.click('#poll-form .primary');
  await seen(viewer, 'Which <i>way</i>?');
  await moderator.waitForSelector('#poll-running:not([hidden])');
  const { polls } = await call('mia', 'GET', 'polls');
  assert.equal((await call('ann', 'POST', `polls/${polls[0].id}/votes`, { option: 2 })).status, 200);
  await until('the bar moves', async () => /1 · 100/.test(await moderator.textContent('#poll-bars')));
  await moderator.click('#poll-close');
  await until('the result', async () => /Which <i>way<\/i>\?/.test(await moderator.textContent('#poll-results')));
  assert.ok(await moderator.isVisible('#poll-form'));
});

test('a dock link opens this room alone, ends by itself, and shows no token on a shared screen', async () => {
  await moderator.context().grantPermissions(['clipboard-read', 'clipboard-write']);
  await moderator.selectOption('#dock-secs', '3600');
  await moderator.click('#dock-form button');
  await moderator.waitForSelector('#dock-made:not([hidden])');
  assert.equal(await moderator.getAttribute('#dock-link', 'type'), 'password');
  await moderator.click('#dock-copy');
  await until('it says so', async () => (await moderator.textContent('#dock-copied')) === 'Copied');
  const link = new URL(await moderator.evaluate(() => navigator.clipboard.readText()));
  assert.deepEqual([link.pathname, link.search], ['/moderate/', '?room=demo'], 'no token where servers log it');
  const token = new URLSearchParams(link.hash.slice(1)).get('token');
  const claims = (of) => JSON.parse(Buffer.from(of.split('.')[1], 'base64url').toString());
  const { sub, rooms, role, exp } = claims(token);
  assert.deepEqual({ sub, rooms, role }, { sub: 'mia', rooms: ['demo'], role: 'moderator' });
  assert.equal(exp, claims(tokens.mia).exp, 'an hour is longer than the own token');
  assert.match(await moderator.textContent('#dock-end'), /^Ends at /);
  await moderator.click('#dock-show');
  assert.equal(await moderator.getAttribute('#dock-link', 'type'), 'text');
  await moderator.click('#dock-show');
  const dock = await visit({ viewport: { width: 380, height: 700 } });
  await dock.goto('about:blank');
  await dock.goto(link.href);
  await dock.waitForSelector('#app:not([hidden])');
  assert.equal(new URL(dock.url()).hash, '', 'the address bar forgets the token');
  await dock.context().close();
  const { status, error } = await call('ann', 'POST', 'tokens', {});
  assert.deepEqual([status, error.code], [403, 'forbidden']);
});

test('placed danmaku are for moderators until the room opens them', async () => {
  const style = { mode: 'placed', place: { x: 1_000, y: 1_000, duration_ms: 4_500 } };
  assert.equal((await say('ann', 'in the way', { style })).error?.code, 'forbidden');
  await moderator.selectOption('#placed', { label: 'everybody' });
  await until('it is in force', async () => (await say('ann', `placed ${posts}`, { style })).outcome === 'broadcast');
  await moderator.selectOption('#placed', { label: 'moderator' });
  await until('it is taken back', async () => (await say('ann', `placed ${posts}`, { style })).error?.code === 'forbidden');
});

test('dark and light are chosen by hand, and each page remembers', async () => {
  const context = await newContext(browser, { locale: 'en-US', colorScheme: 'light' });
  const page = await context.newPage();
  const shown = () => page.evaluate(() => [document.documentElement.dataset.theme, getComputedStyle(document.body).backgroundColor]);
  const [light, dark] = ['rgb(243, 245, 250)', 'rgb(10, 13, 20)'];
  for (const [path, first] of [['/moderate/', ['light', light]], ['/replay/', ['dark', dark]]]) {
    await page.goto(server.origin + path);
    await page.waitForSelector('#theme[data-theme]');
    assert.deepEqual(await shown(), first, path);
    if (path === '/replay/') break;
    await page.click('#theme');
    assert.deepEqual(await shown(), ['dark', dark]);
    assert.equal(await page.getAttribute('#theme', 'aria-label'), 'Appearance: dark');
  }
  await page.click('#theme');
  assert.deepEqual(await shown(), ['light', light]);
  await page.emulateMedia({ colorScheme: 'dark' });
  assert.deepEqual(await shown(), ['light', light], 'a choice is stronger than the system');
  await page.click('#theme');
  assert.deepEqual(await shown(), ['dark', dark], 'as the system');
  await context.close();
});

test('hostile texts, names, rules and options run nothing in the console and at the viewer', async () => {
  const names = CORPUS.filter((text) => text.length <= 40);
  for (const text of CORPUS) await say('mallory', text);
  for (const [index, name] of names.entries()) {
    posts += 1;
    await server.post(tokens.mallory, { type: 'gift', id: `g-${index}`, gift: { name, count: 1 } });
    await server.post(tokens.mallory, { type: 'super_chat', id: `s-${index}`, text: name, amount_minor: 100, currency: 'CNY' });
    await call('ann', 'POST', 'reports', { user: 'mallory', reason: name });
  }
  await call('mia', 'PUT', 'words', { version: (await call('mia', 'GET', 'words')).version, rules: [{ name: 'hostile', words: CORPUS.slice(0, 4), action: 'review' }] });
  await say('mallory', `${CORPUS[1]} again`);
  await call('mia', 'POST', 'polls', { id: 'hostile', question: CORPUS[3], options: names.slice(0, 4), secs: 60 });
  await moderator.keyboard.press('Escape');
  await moderator.mouse.move(5, 5);
  await rows(moderator, CORPUS.at(-1)).first().waitFor();
  await moderator.keyboard.press('ArrowUp');
  await moderator.keyboard.press('u');
  await moderator.waitForSelector('#card:not([hidden])');
  await until('the card has its messages', async () => (await moderator.locator('#card-messages .row').count()) > 20);
  await moderator.waitForSelector('#poll-running:not([hidden])');
  await until('the viewer has the last text', async () => (await chats(viewer)).includes(CORPUS.at(-1)));
  for (const page of [moderator, viewer]) {
    assert.equal(await page.evaluate(() => window.pwned), undefined);
    assert.deepEqual(await page.$$eval(STRANGERS, (found) => found.map((node) => node.outerHTML)), []);
    assert.deepEqual(page.faults, []);
  }
});

test('the console breaks no rule of axe, in light, and dark on a phone, in both languages', async () => {
  for (const options of [{}, { colorScheme: 'dark', locale: 'zh-CN', viewport: { width: 390, height: 844 }, hasTouch: true }]) {
    const page = options.colorScheme || options.viewport ? await visit({ query: '?room=demo', token: tokens.max, ...options }) : moderator;
    await page.waitForSelector('#app:not([hidden])');
    await page.waitForSelector('#chat-list .row');
    assert.deepEqual(await violations(page), [], JSON.stringify(options));
    const width = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
    assert.equal(width, 0, 'nothing is wider than the page');
    if (options.locale) assert.equal(/undefined|NaN|\[object|\{\w+\}/.exec((await page.textContent('#app')).replace(/\{\{.*?\}\}|\$\{.*?\}/g, '')), null);
    if (page !== moderator) await page.context().close();
  }
});

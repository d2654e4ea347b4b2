// Accounts on the player page with a real server: a registration and logins by keyboard, the session over a
// reload, sessions that end elsewhere, refusals with their wait, and where secrets are.

import assert from 'node:assert/strict';
import { test } from './suite.mjs';
import { violations } from './axe.mjs';
import { connected, open, send } from './browser.mjs';
import { rig } from './rig.mjs';
import { Server, until } from './server.mjs';

const PASSWORD = 'correct horse battery';
/** Logins of one name in a minute: the next one has to wait. */
const LOGINS = 3;

const site = rig(() =>
  Server.startWith({
    ACCOUNTS__ENABLED: 'true',
    ACCOUNTS__HASH_MEMORY_KIB: '8192',
    ACCOUNTS__HASH_PASSES: '1',
    ACCOUNTS__LOGINS_PER_NAME_MIN: String(LOGINS),
  }),
);

/** Opens the page and notes the URLs of all its requests. */
async function visit(options) {
  const page = await open(site.browser, site.server, options);
  page.urls = [];
  page.on('request', (request) => page.urls.push(request.url()));
  await page.waitForSelector('#account-open:not([hidden])');
  return page;
}

const opener = (page) => page.textContent('#account-open');
const stored = (page) => page.evaluate(() => JSON.stringify([{ ...localStorage }, { ...sessionStorage }]));
const focused = (page) => page.evaluate(() => document.activeElement.id || document.activeElement.value);
const says = (page, words) => until(words, async () => (await page.textContent('#account-error')).includes(words));

/** Names of the databases in which the browser keeps inboxes. */
const inboxes = (page) => page.evaluate(async () => (await indexedDB.databases()).map(({ name }) => name).filter((name) => name.startsWith('barrage-inbox-')));

/** Writes name and password into the open form, and sends it with Enter. */
async function login(page, password) {
  await page.fill('#account-name', 'Ann');
  await page.fill('#account-password', password);
  await page.press('#account-password', 'Enter');
}

/** Waits until the page has begun anew with these words on the button of the account. */
async function begun(page, words) {
  await page.waitForSelector(`#account-open:has-text("${words}")`);
  await connected(page);
}

test('a person registers by keyboard, stays over a reload, and ends sessions elsewhere', async () => {
  const ann = await visit();
  await ann.focus('#account-open');
  await ann.keyboard.press('Enter');
  assert.equal(await focused(ann), 'account-name');
  assert.deepEqual(await violations(ann), [], 'the form');
  await ann.keyboard.press('Shift+Tab');
  await ann.keyboard.press('ArrowRight');
  assert.equal(await focused(ann), 'register');
  await login(ann, 'short');
  await says(ann, 'at least 8 characters');
  assert.deepEqual(await violations(ann), [], 'a complaint');
  await login(ann, PASSWORD);
  await begun(ann, 'Ann');
  await send(ann, 'hello from an account');
  await ann.waitForSelector('#list .row.own:has-text("Ann"):has-text("hello from an account")');
  await ann.reload();
  await begun(ann, 'Ann');

  const again = await visit();
  await again.click('#account-open');
  await login(again, 'a wrong password');
  await says(again, 'The name or the password is wrong.');
  await login(again, PASSWORD);
  await begun(again, 'Ann');
  await again.click('#account-open');
  await again.waitForSelector('.session >> nth=1');
  assert.deepEqual(await violations(again), [], 'the sessions');
  await again.click('.session button');
  await until('one session', async () => (await again.$$('.session')).length === 1);

  await ann.reload();
  await ann.waitForSelector('#account-open:has-text("Sign in again")');
  await ann.waitForSelector('#watching:not([hidden])');
  await ann.click('#account-open');
  assert.ok(await ann.isVisible('#account-over'));
  await until('no more attempts', async () => {
    await login(ann, 'a wrong password');
    return (await ann.textContent('#account-error')).includes('Too many attempts. Try again in');
  });
  assert.match(await ann.textContent('#account-send'), /^Sign in \(\d+ s\)$/);
  assert.equal(await ann.getAttribute('#account-send', 'aria-disabled'), 'true');
  await ann.keyboard.press('Escape');
  assert.equal(await focused(ann), 'account-open');
  await until('a closed dialog has no password', async () => (await ann.inputValue('#account-password')) === '');

  assert.match(await stored(again), /bs-[0-9a-f]{64}/);
  assert.doesNotMatch(await stored(again), /horse/);
  // The only kept token is that of the guest from before.
  assert.doesNotMatch(await again.evaluate(() => JSON.stringify({ ...localStorage })), /eyJ/);
  assert.equal(JSON.parse(await again.evaluate(() => sessionStorage.getItem('barrage.token'))).kind, 'guest');
  await until('the browser keeps the inbox', async () => (await inboxes(again)).length === 1);
  await again.click('#account-out');
  await begun(again, 'Sign in');
  assert.deepEqual(await inboxes(again), [], 'a sign-out takes the inbox from this browser');
  for (const page of [ann, again]) {
    assert.doesNotMatch(await stored(page), /horse|bs-/);
    assert.ok(page.urls.some((url) => url.endsWith('/v1/accounts/login')));
    assert.doesNotMatch(page.urls.join('\n'), /horse|bs-|eyJ/);
    assert.deepEqual(page.faults, []);
  }
  assert.doesNotMatch(site.server.log, /horse|bs-[0-9a-f]/);
});

test('a phone shows the dialog in Chinese; a page with a token of its site has none', async () => {
  const phone = await visit({ viewport: { width: 390, height: 844 }, isMobile: true, hasTouch: true, locale: 'zh-CN' });
  assert.equal(await opener(phone), '登录');
  await phone.tap('#account-open');
  await phone.tap('#account-wishes .radio:has-text("注册")');
  assert.match(await phone.textContent('#account-rule'), /至少 8 个字符/);
  assert.deepEqual(await violations(phone), []);
  assert.ok(await phone.evaluate(() => document.documentElement.scrollWidth <= innerWidth), 'nothing is pushed out');

  const member = await open(site.browser, site.server, { token: await site.server.token('cy') });
  await send(member, 'hello from a site');
  await member.waitForSelector('#list .row.own');
  assert.ok(await member.isHidden('#account-open'));
});

// Avatars by the id of a medium: in the chat, in the list of letters and in the overlay, and set by their user.

import assert from 'node:assert/strict';
import { violations } from './axe.mjs';
import { connected, newContext, open, send } from './browser.mjs';
import { acquaint, request } from './letters.mjs';
import { painted } from './painted.mjs';
import { rig } from './rig.mjs';
import { freePorts, Server, until } from './server.mjs';
import { test } from './suite.mjs';

const site = rig(async () => {
  const [port] = await freePorts();
  return Server.startWith({ MEDIA__LISTEN: JSON.stringify([`127.0.0.1:${port}`]), ACCOUNTS__ENABLED: 'true' });
});

const loaded = (locator) => until('the picture is there', () => locator.evaluate(({ naturalWidth }) => naturalWidth > 0));

test('a person chooses a picture, others see it in chat, letters and overlay, and it goes when the person removes it', async () => {
  const { server, browser } = site;
  const bob = await open(browser, server, { token: await server.token('bob') });
  const overlay = await (await newContext(browser, { viewport: { width: 400, height: 300 } })).newPage();
  await overlay.goto(`${server.origin}/overlay/?room=demo`);
  await overlay.waitForSelector('#overlay[data-state=open]');
  const ann = await open(browser, server);
  await ann.click('#account-open');
  await ann.click('#account-wishes .radio:has-text("Register")');
  await ann.fill('#account-name', 'Ann');
  await ann.fill('#account-password', 'correct horse battery');
  await ann.press('#account-password', 'Enter');
  await ann.waitForSelector('#account-open:has-text("Ann")');
  await connected(ann);
  await send(ann, 'without a picture');
  await bob.locator('#list .row:has-text("without a picture")').waitFor();
  assert.equal(await bob.locator('#list .row-avatar').count(), 0);
  await ann.click('#account-open');
  await ann.waitForSelector('#account-avatar:not([hidden])');
  assert.deepEqual(await violations(ann, '#account'), []);
  await ann.setInputFiles('#account-avatar-file', { name: 'a.png', mimeType: 'image/png', buffer: Buffer.from('no picture') });
  await until('a refusal is a sentence', async () => /did not work: \w+ \w+/.test(await ann.textContent('#account-own-error')));
  await Promise.all([ann.waitForEvent('load'), ann.setInputFiles('#account-avatar-file', await painted(ann, 300, 300))]);
  await connected(ann);
  await send(ann, 'with a picture');
  const row = bob.locator('#list .row:has-text("with a picture"):not(:has-text("without"))');
  await loaded(row.locator('.row-avatar img'));
  assert.match(await row.locator('.row-avatar img').getAttribute('src'), /:\d+\/v1\/avatars\/[0-9a-f]{64}$/);
  assert.deepEqual(await violations(bob, '#list'), []);
  await loaded(overlay.locator('.row:has-text("with a picture"):not(:has-text("without")) .author-photo img'));
  const { user } = await ann.evaluate(async () => {
    const { secret } = JSON.parse(localStorage.getItem('barrage.session'));
    return (await fetch('/v1/accounts/me', { method: 'POST', headers: { 'Content-Type': 'application/json' }, body: JSON.stringify({ session: secret }) })).json();
  });
  await acquaint(server, 'bob', 'dee');
  await request(server, 'bob', 'POST', `/v1/users/${user}/messages`, { type: 'text', id: 'to-ann', text: 'hello Ann' });
  await bob.waitForSelector('#letters-open:not([hidden])');
  await bob.click('#letters-open');
  await loaded(bob.locator('.conversation:has-text("Ann") .letter-avatar img'));
  assert.equal(await bob.locator('.conversation:has-text("dee") .letter-avatar img, .conversation:has-text("Dee") .letter-avatar img').count(), 0);
  await ann.click('#account-open');
  await loaded(ann.locator('#account-avatar-now img'));
  const address = await ann.getAttribute('#account-avatar-now img', 'src');
  await Promise.all([ann.waitForEvent('load'), ann.click('#account-avatar-remove')]);
  await connected(ann);
  assert.equal((await fetch(address)).status, 404);
  await send(ann, 'as before');
  await bob.locator('#list .row:has-text("as before")').waitFor();
  assert.equal(await bob.locator('#list .row:has-text("as before") .row-avatar').count(), 0);
  assert.deepEqual([...ann.faults, ...bob.faults], []);
});

test('an avatar that nobody has leaves the first letter of the name, and an id of another platform asks for nothing', async () => {
  const { server, browser } = site;
  const page = await open(browser, server, { token: await server.token('eve') });
  const asked = [];
  page.on('request', (one) => /\/v1\/avatars\/(?:(?:ab){32}|a-7)$/.test(one.url()) && asked.push(one.url()));
  const token = (user, avatar) => server.token(user, 'viewer', 'demo', ['--attrs', JSON.stringify({ avatar })]);
  await server.post(await token('gil', 'ab'.repeat(32)), { type: 'chat', id: 'g1', text: 'with a lost picture' });
  await server.post(await token('hal', 'a-7'), { type: 'chat', id: 'h1', text: 'of another platform' });
  await page.locator('#list .row:has-text("of another platform")').waitFor();
  const circle = page.locator('#list .row:has-text("with a lost picture") .row-avatar');
  await until('the picture has failed', async () => asked.length === 1 && (await circle.locator('img').count()) === 0);
  assert.equal(await circle.textContent(), 'G');
  assert.equal(await page.locator('#list .row:has-text("of another platform") .row-avatar').count(), 0);
});

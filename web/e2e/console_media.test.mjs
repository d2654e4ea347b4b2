// Media that wait in the console with a real server: the operator sees a picture that nobody else sees, allows one and
// denies another, and their senders are told.

import assert from 'node:assert/strict';
import { signIn } from './admin.mjs';
import { violations } from './axe.mjs';
import { open } from './browser.mjs';
import { painted } from './painted.mjs';
import { rig } from './rig.mjs';
import { freePorts, Server, until } from './server.mjs';
import { test } from './suite.mjs';

const site = rig(async () => {
  const [port] = await freePorts();
  return Server.startWith({ MEDIA__LISTEN: JSON.stringify([`127.0.0.1:${port}`]), MEDIA__REVIEW: 'pictures' });
});

test('an operator sees the pictures that wait, allows one and denies the other, and the senders are told', async () => {
  const { server, browser } = site;
  const mia = await server.token('mia', 'moderator');
  const allowed = await server.post(mia, { id: 'a1', action: { type: 'speak', rule: { media_role_min: 'viewer' } } }, 'demo', 'actions');
  assert.equal(allowed.status, 200);
  const senders = [];
  for (const [user, width] of [['ann', 600], ['bob', 300]]) {
    const page = await open(browser, server, { token: await server.token(user) });
    await page.waitForSelector('#picture-button:not([hidden])');
    await page.setInputFiles('#picture-file', await painted(page, width, 300));
    await page.waitForSelector('.attached[data-state=checking]');
    senders.push(page);
  }
  const [ann, bob] = senders;
  const desk = await signIn(browser, server.admin, await server.token('mei', 'admin', '*'));
  const row = (user) => desk.locator(`.waiting:has-text("${user}")`);
  for (const user of ['ann', 'bob']) await until('the bytes are there', () => row(user).locator('img').evaluate((image) => image.naturalWidth > 0));
  assert.deepEqual(await row('ann').locator('img').evaluate(({ width, height }) => [width, height]), [240, 120]);
  assert.deepEqual(await violations(desk, '#waiting'), []);
  await row('ann').locator('button:has-text("Allow")').click();
  await desk.click('#confirm-go');
  await ann.waitForSelector('.attached[data-state=ready]');
  await until('it waits no more', async () => (await row('ann').count()) === 0);
  await row('bob').locator('button:has-text("Deny")').press('Enter');
  await desk.press('#confirm-go', 'Enter');
  await bob.waitForSelector('.attached[data-state=refused]');
  await until('nothing waits', async () => /Nothing waits/.test(await desk.textContent('#waiting-note')));
  assert.equal((await desk.$$('.waiting')).length, 0);
  for (const page of [ann, bob, desk]) assert.deepEqual(page.faults, []);
});

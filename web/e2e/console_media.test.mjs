// Media that wait in the console with a real server: the operator sees a picture that nobody else sees, and what the hook
// said about it, allows one and denies another, and their senders are told.

import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import { signIn } from './admin.mjs';
import { violations } from './axe.mjs';
import { open } from './browser.mjs';
import { painted } from './painted.mjs';
import { rig } from './rig.mjs';
import { freePorts, Server, until } from './server.mjs';
import { after, test } from './suite.mjs';

/** Reason with characters that a page must not take for its own. */
const REASON = 'maybe a <b>weapon</b>';
/** Releases the answer of the hook about the picture of bob. */
let answerAboutBob = () => {};

/** A hook that allows everything but the picture of bob, about which it says nothing until the test lets it. */
const hook = createServer(async (request, response) => {
  let text = '';
  for await (const part of request) text += part;
  const { user, media } = JSON.parse(text);
  const answer = (body) => response.setHeader('content-type', 'application/json').end(JSON.stringify(body));
  if (media && user === 'bob') answerAboutBob = () => answer({ action: 'review', reason: REASON });
  else answer({ action: 'allow' });
});

const site = rig(async () => {
  await new Promise((resolve) => hook.listen(0, '127.0.0.1', resolve));
  const [port] = await freePorts();
  const address = `127.0.0.1:${port}`;
  return Server.startWith({
    MEDIA__LISTEN: JSON.stringify([address]),
    MEDIA__BASE_URL: `http://${address}`,
    MEDIA__REVIEW: 'pictures',
    MEDIA__HOOK: 'pictures',
    MODERATION__HOOK__URL: `http://127.0.0.1:${hook.address().port}/check`,
    MODERATION__HOOK__DEADLINE_MS: '60000',
  });
});

after(() => {
  hook.closeAllConnections();
  hook.close();
});

test('an operator sees the pictures that wait and what the hook said, allows one and denies the other, and the senders are told', async () => {
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
  const said = (user) => row(user).locator('.waiting-hook').allTextContents();
  await until('the hook has allowed one', async () => (await said('ann')).length === 0);
  assert.match((await said('bob')).join(), /not answered yet/);
  answerAboutBob();
  await until('the reason is there', async () => (await said('bob')).join().includes(REASON));
  assert.equal(await row('bob').locator('.waiting-hook b').count(), 0);
  assert.deepEqual(await violations(desk, '#waiting'), []);
  await row('ann').locator('button:has-text("Allow")').click();
  await desk.click('#confirm-go');
  await ann.waitForSelector('.attached[data-state=ready]');
  await until('it waits no more', async () => (await row('ann').count()) === 0);
  await row('bob').locator('button:has-text("Deny")').press('Enter');
  await desk.press('#confirm-go', 'Enter');
  await bob.waitForSelector('.attached[data-state=refused]');
  await until('nothing waits', async () => /Nothing waits/.test(await desk.textContent('#waiting-note')));
  assert.match(await desk.textContent('#waiting-note'), /media\.review.*media\.hook/);
  assert.equal((await desk.$$('.waiting')).length, 0);
  for (const page of [ann, bob, desk]) assert.deepEqual(page.faults, []);
});

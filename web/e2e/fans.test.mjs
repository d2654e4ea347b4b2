// The host and the fan group below the stream, with a real server: the host starts a group, fans join, write and leave.

import assert from 'node:assert/strict';
import { test } from './suite.mjs';
import { violations } from './axe.mjs';
import { open, send } from './browser.mjs';
import { reader, request, shown, type } from './letters.mjs';
import { rig } from './rig.mjs';
import { pause, Server, until } from './server.mjs';

const site = rig(() => Server.start());
const fan = (user, options) => reader(site.browser, site.server, user, options);

async function host() {
  const page = await open(site.browser, site.server, { token: await site.server.token('nova', 'host', 'demo', ['--name', 'Nova']) });
  await page.waitForSelector('.fans:not([hidden]) [data-fans=group]');
  return page;
}

test('a host starts the group of the room; fans join, talk, see that the host is live, and leave', async () => {
  const { server } = site;
  const [ann, bo] = [await fan('ann'), await fan('bo')];
  await pause(300);
  assert.ok(await ann.isHidden('.fans'), 'a room without host and group has no bar');
  const nova = await host();
  assert.match(await nova.textContent('[data-fans=group]'), /Start a fan group/);
  await nova.click('[data-fans=group]');
  await nova.waitForSelector('.fans-button.open');
  await ann.waitForSelector('.fans-button.join');
  assert.match(await ann.textContent('[data-fans=group]'), /Join · 1 members/);
  assert.match(await ann.textContent('[data-fans=host]'), /nova/i);
  assert.deepEqual(await violations(ann, '.fans'), []);
  await ann.focus('[data-fans=group]');
  await ann.keyboard.press('Enter');
  await ann.waitForSelector('.fans-button.open');
  assert.equal(await ann.evaluate(() => document.activeElement.dataset.fans), 'group', 'the focus stays');
  await ann.click('[data-fans=group]');
  await ann.waitForSelector('.letter-text');
  assert.match(await ann.textContent('.letters-subtitle'), /2 members · Live now, \d+ watching/);
  await type(ann, 'hello fans');
  await until('it is there', async () => (await shown(ann)).includes('hello fans'));
  await nova.waitForSelector('.fans-button.open .count:text-is("1")');
  await nova.click('[data-fans=group]');
  await until('the host reads it', async () => (await shown(nova)).includes('hello fans'));
  assert.equal(await nova.textContent('.letter-who'), 'Ann');
  await ann.click('.letters-head [aria-label="More actions"]');
  await ann.click('.menu [role=menuitem]:has(span:text-is("Leave group…"))');
  await ann.click('.menu [role=menuitem]:has(span:text-is("Leave"))');
  await ann.waitForSelector('.letter-banner:has-text("not in this group")');
  assert.ok(await ann.isHidden('.letter-box'));
  await ann.waitForSelector('.fans-button.join');
  await request(server, 'bo', 'GET', '/v1/inbox');
  await bo.click('[data-fans=host]');
  await type(bo, 'I like your stream');
  await nova.click('.letters-head [aria-label=Back]');
  await nova.click('.conversation.folder:has-text("Requests (1)")');
  await nova.click('.conversation:has-text("I like your stream")');
  await until('the host reads the letter', async () => (await shown(nova)).includes('I like your stream'));
  for (const page of [ann, bo, nova]) assert.deepEqual(page.faults, []);
});

test('a group that another room claims is not shown, and a group may ask who joins', async () => {
  const { server } = site;
  const boss = await server.token('boss', 'admin', '*');
  const call = async (method, path, body) => {
    const answer = await fetch(server.origin + path, { method, headers: { Authorization: `Bearer ${boss}`, 'Content-Type': 'application/json' }, body: JSON.stringify(body) });
    assert.ok(answer.ok, await answer.text());
  };
  const admin = await fetch(`${server.admin}/v1/admin/rooms/quiet`, { method: 'PUT', headers: { Authorization: `Bearer ${boss}`, 'Content-Type': 'application/json' }, body: '{"title":"quiet"}' });
  assert.ok(admin.ok, await admin.text());
  const name = (key, text) => call('PUT', `/v1/rooms/quiet/attributes/${key}`, { id: `n-${key}-${text.slice(-8)}`, text });
  const foreign = await request(server, 'eva', 'POST', '/v1/groups', { title: 'Elsewhere', room: 'demo', join: 'open' });
  const own = await request(server, 'eva', 'POST', '/v1/groups', { title: '<i>Quiet ones</i>', room: 'quiet', join: 'ask' });
  await name('inbox.group', foreign.conversation);
  const cy = await open(site.browser, server, { query: '?room=quiet', token: await server.token('cy', 'viewer', 'quiet') });
  await cy.waitForSelector('#letters-open:not([hidden])');
  await pause(500);
  assert.ok(await cy.isHidden('[data-fans=group]'));
  await name('inbox.group', own.conversation);
  await cy.waitForSelector('[data-fans=group]:has-text("Ask to join")');
  assert.equal(await cy.textContent('.fans-name'), '<i>Quiet ones</i>');
  await cy.click('[data-fans=group]');
  await cy.waitForSelector('[data-fans=group]:disabled:has-text("Waiting to be admitted")');
  await request(server, 'eva', 'PUT', `/v1/groups/${own.conversation}/members/cy`, { role: 'member' });
  await cy.waitForSelector('[data-fans=group]:has-text("Open")');
  assert.deepEqual(cy.faults, []);
});

test('without a name of the host in the room, who writes with this role is the host', async () => {
  const boss = await site.server.token('boss', 'admin', '*');
  const made = await fetch(`${site.server.admin}/v1/admin/rooms/open-mic`, { method: 'PUT', headers: { Authorization: `Bearer ${boss}`, 'Content-Type': 'application/json' }, body: '{"title":"open-mic"}' });
  assert.ok(made.ok);
  const enter = async (user, role) => open(site.browser, site.server, { query: '?room=open-mic', token: await site.server.token(user, role, 'open-mic', ['--name', user.toUpperCase()]) });
  const [dee, owl] = [await enter('dee', 'viewer'), await enter('owl', 'host')];
  await dee.waitForSelector('#letters-open:not([hidden])');
  await send(owl, 'welcome');
  await dee.waitForSelector('[data-fans=host]:has-text("OWL")');
  await dee.click('[data-fans=host]');
  assert.equal(await dee.textContent('.letters-title'), 'OWL');
  assert.deepEqual(dee.faults, []);
});

// Letters in the console with a real server: reports with their evidence, decisions, the export of a user's inbox, and
// an erase that names what goes.

import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { test } from './suite.mjs';
import { signIn } from './admin.mjs';
import { violations } from './axe.mjs';
import { acquaint, request, write } from './letters.mjs';
import { rig } from './rig.mjs';
import { Server, until } from './server.mjs';

const site = rig(() => Server.start());

async function desk(options) {
  return signIn(site.browser, site.server.admin, await site.server.token('mei', 'admin', '*'), options);
}

test('an operator reads the evidence of a report and decides', async () => {
  const { server } = site;
  const conversation = await acquaint(server, 'ann', 'mallory');
  await write(server, 'mallory', 'ann', '<b>buy my coins</b>');
  await until('it is there', async () => (await request(server, 'ann', 'GET', '/v1/inbox')).conversations[0].head === 3);
  await request(server, 'ann', 'POST', '/v1/reports', { user: 'mallory', conversation, reason: 'spam' });
  const page = await desk();
  await page.waitForSelector('#reports-table tbody tr:has-text("mallory")');
  assert.match(await page.textContent('#reports-table tbody tr'), /mallory.*ann.*spam.*open/);
  await page.click('#reports-table [aria-label^="Evidence of report"]');
  assert.deepEqual(await page.$$eval('.evidence .words', (nodes) => nodes.map(({ textContent }) => textContent)), ['hello mallory', 'hello ann', '<b>buy my coins</b>']);
  assert.deepEqual(await violations(page, '#letters'), []);
  await page.click('#reports-table [aria-label^="Decide about report"]');
  await page.click('#confirm-go');
  assert.ok(await page.isVisible('#confirm'), 'a decision has words');
  await page.fill('#confirm-field', 'muted for a week');
  await page.click('#confirm-go');
  await until('no open report', async () => (await page.$$('#reports-table tbody tr')).length === 0);
  await page.selectOption('#reports-open', 'closed');
  await page.waitForSelector('#reports-table tbody tr:has-text("muted for a week")');
  assert.match(await page.textContent('#reports-table tbody tr'), /mei/);
  assert.equal((await page.$$('#reports-table [aria-label^="Decide"]')).length, 0);
  assert.deepEqual(page.faults, []);
});

test('an export is a file, and an erase names what goes, asks for the id, and is in force for the peer', async () => {
  const { server } = site;
  const conversation = await acquaint(server, 'bea', 'carl');
  await write(server, 'bea', 'carl', 'to be erased');
  await request(server, 'bea', 'POST', '/v1/groups', { title: 'Fans of Bea', join: 'open' });
  await request(server, 'bea', 'PUT', '/v1/blocks/troll');
  await until('all is there', async () => {
    const inbox = await request(server, 'bea', 'GET', '/v1/inbox');
    return inbox.conversations.length === 2 && inbox.conversations.some(({ head }) => head === 3);
  });
  const page = await desk();
  await page.fill('#inbox-user', 'bea');
  const [file] = await Promise.all([page.waitForEvent('download'), page.press('#inbox-user', 'Enter')]);
  assert.equal(file.suggestedFilename(), 'inbox-bea.jsonl');
  const lines = (await readFile(await file.path(), 'utf8')).trim().split('\n').map((line) => JSON.parse(line));
  assert.deepEqual([lines[0].line, lines[0].user, lines.some(({ body }) => body?.text === 'to be erased')], ['user', 'bea', true]);
  await page.click('#inbox-erase');
  await page.waitForSelector('#confirm[open]');
  const effects = (await page.textContent('#confirm-effects')).replaceAll(/[\u2068\u2069]/g, '');
  assert.match(effects, /content of 2 items.*in 2 conversations/);
  assert.match(effects, /Deletes the groups of this user: Fans of Bea/);
  assert.match(effects, /Ends 1 blocks/);
  assert.deepEqual(await violations(page, '#confirm'), []);
  await page.fill('#confirm-field', 'carl');
  await page.click('#confirm-go');
  assert.ok(await page.isVisible('#confirm'), 'another id erases nothing');
  await page.fill('#confirm-field', 'bea');
  await page.click('#confirm-go');
  await until('the result', async () => /Done: .*bea/.test(await page.textContent('#results')));
  await until('the peer sees no text', async () => {
    const { items } = await request(server, 'carl', 'GET', `/v1/conversations/${conversation}/messages`);
    // The first and the third item are of the user, whom a pseudonym replaces.
    return items.every(({ position, body, recalled }) => (position === 2 ? body?.text === 'hello bea' : recalled && !body));
  });
  await page.fill('#inbox-user', 'nobody-here');
  await page.click('#inbox-erase');
  await until('the sentence', async () => /nobody-here.* has no inbox/.test(await page.textContent('#letters-problem')));
  assert.deepEqual(page.faults, []);
});

// Emotes, stickers and badges of a room: a host uploads pictures in the moderator console, and viewers have them at once in
// the chat and in letters, with the real server and its role media.

import assert from 'node:assert/strict';
import { violations } from './axe.mjs';
import { newContext, open, send } from './browser.mjs';
import { acquaint, openThread, reader } from './letters.mjs';
import { painted } from './painted.mjs';
import { rig } from './rig.mjs';
import { freePorts, Server, until } from './server.mjs';
import { test } from './suite.mjs';

const site = rig(async () => {
  const [port] = await freePorts();
  return Server.startWith({ MEDIA__LISTEN: JSON.stringify([`127.0.0.1:${port}`]) });
});

/** Opens the console of a role. `faults` lists script errors and policy violations. */
async function console(role) {
  const page = await (await newContext(site.browser, { viewport: { width: 1500, height: 1000 }, locale: 'en-US' })).newPage();
  page.faults = [];
  page.on('pageerror', ({ message }) => page.faults.push(message));
  page.on('console', (line) => line.text().includes('Content Security Policy') && page.faults.push(line.text()));
  await page.goto(`${site.server.origin}/moderate/?room=demo#token=${await site.server.token(role, role)}`);
  await page.waitForSelector('#emote-form:not([hidden])');
  return page;
}

/** Adds a picture to the room's set in the console, by keyboard. */
async function add(page, kind, name, width) {
  await page.setInputFiles('#emote-file', await painted(page, width, 128));
  await page.fill('#emote-name', name);
  await page.selectOption('#emote-kind', kind);
  await page.press('#emote-name', 'Enter');
  const image = page.locator(`.emote-one:has-text("${name}") img`);
  await until('the console shows it', () => image.evaluate(({ naturalWidth }) => naturalWidth > 0));
}

const loaded = (locator) => until('the bytes are there', () => locator.evaluate(({ naturalWidth }) => naturalWidth > 0));

test('a host uploads a sticker, an emote and a badge, and viewers send and see them', async () => {
  const { server, browser } = site;
  const host = await console('host');
  const ann = await open(browser, server, { token: await server.token('ann') });
  const bob = await open(browser, server, { token: await server.token('bob', 'viewer', 'demo', ['--attrs', '{"badges": ["patron/3"]}']) });
  await add(host, 'sticker', 'wave', 128);
  await add(host, 'emote', ':sun:', 96);
  await add(host, 'badge', 'patron', 64);
  assert.deepEqual(await violations(host, '[aria-labelledby=emotes-title]'), []);
  const sticker = ann.locator('.sticker-choice[aria-label="Send the sticker wave"]');
  await until('the sticker is offered', async () => {
    // The panel is written when it opens: the set comes after the signal.
    await ann.click('#emote-button');
    const isThere = (await sticker.count()) === 1;
    if (!isThere) await ann.press('#emote-search', 'Escape');
    return isThere;
  });
  await loaded(sticker.locator('img'));
  assert.deepEqual(await violations(ann, '#emote-panel'), []);
  assert.equal(await ann.locator('.emote-choice').count(), 1, 'a badge and a sticker are no words');
  await sticker.press('Enter');
  const shown = bob.locator('#list .row:has-text("ann") .picture.sticker.there');
  await shown.waitFor();
  assert.equal(await shown.getAttribute('aria-label'), 'Sticker from ann');
  assert.equal(await ann.evaluate(() => document.activeElement.id), 'text', 'the focus is in the text box');
  await send(bob, 'good :sun: morning');
  const row = ann.locator('#list .row:has-text("morning")');
  await loaded(row.locator('img.emote'));
  await loaded(row.locator('img.badge-image'));
  assert.equal(await row.locator('img.badge-image').getAttribute('alt'), 'patron 3');
  for (const page of [host, ann, bob]) assert.deepEqual(page.faults, []);
});

test('a sticker goes by letter, and one that is removed from the set is offered no more', async () => {
  const { server, browser } = site;
  await acquaint(server, 'ivy', 'jon');
  const host = await console('host');
  await add(host, 'sticker', 'hug', 160);
  const [ivy, jon] = [await reader(browser, server, 'ivy'), await reader(browser, server, 'jon')];
  await openThread(ivy, 'Jon');
  await openThread(jon, 'Ivy');
  await ivy.click('.letter-box .round[aria-label=Stickers]');
  await ivy.click('.sticker-choice[aria-label="Sticker hug"]');
  await loaded(jon.locator('.letter.other .sticker-art img'));
  await host.click('[aria-label="Remove hug"]');
  await host.click('#confirm-go');
  await until('it is gone', async () => (await host.locator('.emote-one:has-text("hug")').count()) === 0);
  await until('it is offered no more', async () => {
    await jon.click('.letter-box .round[aria-label=Stickers]');
    const offered = await jon.locator('.sticker-choice[aria-label="Sticker hug"]').count();
    await jon.click('.letter-box .round[aria-label=Stickers]');
    return offered === 0;
  });
  for (const page of [host, ivy, jon]) assert.deepEqual(page.faults, []);
});

test('a moderator who is no host is told why the set stays as it is', async () => {
  const page = await console('moderator');
  await page.setInputFiles('#emote-file', await painted(page, 128, 128, 'other.png'));
  await page.fill('#emote-name', 'mine');
  await page.press('#emote-name', 'Enter');
  await page.waitForSelector('#results [data-level=bad]:has-text("Added")');
  assert.equal(await page.locator('.emote-one:has-text("mine")').count(), 0);
  assert.equal(await page.inputValue('#emote-name'), 'mine', 'what was written stays');
  assert.deepEqual(page.faults, []);
});

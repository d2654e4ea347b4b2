// Outages of the server and the network: no gift and no super chat is missing or shown twice.

import assert from 'node:assert/strict';
import { after, afterEach, before, test } from './suite.mjs';
import { connected, gifts, launch, open } from './browser.mjs';
import { Server, until } from './server.mjs';

let server;
let browser;

before(async () => {
  server = await Server.start();
  browser = await launch();
});
// A page that stays open goes on painting beside the next test.
afterEach(async () => {
  for (const context of browser.contexts()) await context.close();
});
after(async () => {
  await browser?.close();
  await server?.stop();
});

async function give(token, name) {
  const answer = await server.post(token, { type: 'gift', id: name, gift: { name, count: 1 } });
  assert.equal(answer.outcome, 'broadcast', `${name}: ${JSON.stringify(answer)}`);
  return name;
}

async function giveMany(token, prefix, count) {
  const names = [];
  for (let n = 0; n < count; n += 1) names.push(await give(token, `${prefix}-${n}`));
  return names;
}

/** Asserts that the list shows exactly these gifts, each once, in this order. */
async function shows(page, prefix, names) {
  const mine = async () => (await gifts(page)).filter((name) => name.startsWith(prefix));
  await until(`${names.length} gifts of ${prefix}`, async () => (await mine()).length >= names.length);
  assert.deepEqual(await mine(), names);
}

test('after a crash of the server on the same data no gift is missing or doubled', async () => {
  const token = await server.token('giver');
  const page = await open(browser, server);
  const names = await giveMany(token, 'kill', 5);
  await shows(page, 'kill', names);
  for (let round = 0; round < 3; round += 1) {
    // The last of them may not have reached the page when the process is killed.
    names.push(...(await giveMany(token, `kill-${round}a`, 5)));
    await server.kill();
    await page.waitForSelector('#state:not([data-state=open])', { state: 'attached' });
    await server.run();
    // Posted before the page has reconnected, so that only the resume can deliver them.
    names.push(...(await giveMany(token, `kill-${round}b`, 5)));
    await connected(page);
    names.push(...(await giveMany(token, `kill-${round}c`, 5)));
    await shows(page, 'kill', names);
  }
  assert.deepEqual(page.faults, []);
});

test('after a time offline no gift is missing or doubled', async () => {
  const token = await server.token('giver');
  const page = await open(browser, server);
  const names = await giveMany(token, 'offline', 3);
  await shows(page, 'offline', names);
  await page.context().setOffline(true);
  names.push(...(await giveMany(token, 'offline-cut', 20)));
  await page.context().setOffline(false);
  names.push(...(await giveMany(token, 'offline-back', 3)));
  await shows(page, 'offline', names);
  await connected(page);
});

test('a post whose answer is lost is shown once', async () => {
  const page = await open(browser, server);
  let cut = 2;
  await page.route('**/messages', async (route) => {
    if (cut === 0) return route.continue();
    cut -= 1;
    // The server receives the post, but its answer does not reach the page.
    if (cut === 0) await route.fetch();
    return route.abort('connectionreset');
  });
  await page.click('[data-offer=cake]');
  await page.unrouteAll({ behavior: 'wait' }).catch(() => undefined);
  await page.click('[data-offer=star]');
  await until('both gifts', async () => (await gifts(page)).filter((name) => name === 'Cake' || name === 'Star').length >= 2);
  assert.deepEqual((await gifts(page)).filter((name) => name === 'Cake'), ['Cake']);
});

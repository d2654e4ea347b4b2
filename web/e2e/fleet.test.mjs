// The page with a fleet of processes: entry, gateways and uplinks have different origins. Pages move to another
// gateway while their room is busy, and lose nothing.

import assert from 'node:assert/strict';
import { after, before, test } from './suite.mjs';
import { chats, connected, launch, MOVING, newContext, open, send } from './browser.mjs';
import { pause, Server, until } from './server.mjs';

let server;
let browser;
let members;

before(async () => {
  server = await Server.start('--cluster', '--gateways', '3', '--uplinks', '1');
  members = server.members();
  browser = await launch();
});
after(async () => {
  await browser?.close();
  await server?.stop();
});

/** Messages a second of the busy room: eighteen chats and two gifts in each tenth of a second. */
const ROUND_MS = 100;
const CHATS = 18;
const GIFTS = 2;
/** Time of load before the drain, and behind the last move. */
const AROUND_MS = 2_000;
/** Least time between two looks at the stage. Ten looks without a danmaku that moves are a second without a picture. */
const LOOK_MS = 100;
const BLANK_LOOKS_MAX = 9;

/** Returns the host of the gateway to which a page is connected. */
function gatewayOf(page) {
  return page.evaluate(() => window.gateways.at(-1));
}

/** Creates a browser context whose pages list the hosts of their sockets in `window.gateways`. */
async function noting(browser) {
  const context = await newContext(browser, { ...MOVING, viewport: { width: 800, height: 450 }, locale: 'en-US' });
  await context.addInitScript(() => {
    window.gateways = [];
    const Real = window.WebSocket;
    window.WebSocket = class extends Real {
      constructor(url, protocols) {
        super(url, protocols);
        this.addEventListener('message', () => window.gateways.at(-1) !== new URL(url).host && window.gateways.push(new URL(url).host), { once: true });
      }
    };
  });
  return context;
}

test('with a fleet the page sends, loads the history, and survives the drain of its gateway', async () => {
  assert.ok(members['gateway-1'] && members['gateway-2'] && members['uplink-1'], JSON.stringify(members));
  const context = await noting(browser);
  const ann = await context.newPage();
  const faults = [];
  ann.on('pageerror', (error) => faults.push(error.message));
  ann.on('console', (message) => message.type() === 'error' && faults.push(message.text()));
  await ann.goto(`${server.origin}/?name=Ann`);
  await connected(ann);
  await send(ann, 'hello, fleet');
  await until('the message arrives through the fleet', async () => (await chats(ann)).includes('hello, fleet'));
  assert.equal(await ann.textContent('#hint'), '');

  const bob = await open(browser, server, { query: '?name=Bob' });
  await until('the history is there', async () => (await chats(bob)).includes('hello, fleet'));

  const before = await gatewayOf(ann);
  const gateway = Object.values(members).find(({ origin }) => origin && new URL(origin).host === before);
  assert.ok(gateway, `${before} of ${JSON.stringify(members)}`);
  await server.adminPost('/v1/admin/drain', { within_secs: 2 }, gateway.admin);
  await until('the page has moved', async () => (await gatewayOf(ann)) !== before);
  await connected(ann);
  await send(ann, 'still here');
  for (const page of [ann, bob]) await until('both have it', async () => (await chats(page)).filter((text) => text === 'still here').length === 1);
  assert.deepEqual((await chats(ann)).filter((text) => text === 'hello, fleet'), ['hello, fleet']);
  assert.deepEqual(faults, []);
  assert.deepEqual(bob.faults, []);
});

/** Notes every gift row that the page adds, and looks at its stage, from now on. */
function watch(page) {
  return page.evaluate((lookMs) => {
    window.given = [];
    window.looks = [];
    new MutationObserver((changes) => {
      for (const { addedNodes } of changes) for (const row of addedNodes) if (row.matches?.('.row.gift')) window.given.push(row.dataset.gift);
    }).observe(document.querySelector('#list'), { childList: true });
    const lefts = new WeakMap();
    let lookedMs = -Infinity;
    // A look belongs to a frame: a machine that renders none in time shows nothing about the page.
    const look = (nowMs) => {
      requestAnimationFrame(look);
      if (nowMs - lookedMs < lookMs) return;
      lookedMs = nowMs;
      const { width } = document.querySelector('#stage').getBoundingClientRect();
      let moving = 0;
      for (const node of document.querySelectorAll('#stage .danmaku')) {
        const { left, right } = node.getBoundingClientRect();
        if (right > 0 && left < width && lefts.get(node) !== left) moving += 1;
        lefts.set(node, left);
      }
      window.looks.push(moving);
    };
    requestAnimationFrame(look);
  }, LOOK_MS);
}

/** Returns the longest run of looks at which nothing moved. */
function longestBlank(looks) {
  let [longest, run] = [0, 0];
  for (const moving of looks) longest = Math.max(longest, (run = moving === 0 ? run + 1 : 0));
  return longest;
}

/** Posts the load until `stop` is called, which returns the gifts that the uplink took. */
function load(origin, token) {
  const taken = [];
  const open = new Set();
  let count = 0;
  const post = async (body, name = null) => {
    const answer = await fetch(`${origin}/v1/rooms/demo/messages`, { method: 'POST', headers: { 'Content-Type': 'application/json', Authorization: `Bearer ${token}` }, body: JSON.stringify(body) });
    const { outcome } = await answer.json();
    assert.equal(answer.status, 200, `${name ?? 'chat'}: ${outcome}`);
    if (name) taken.push(name);
  };
  const send = (...one) => {
    const request = post(...one).finally(() => open.delete(request));
    open.add(request);
  };
  const timer = setInterval(() => {
    for (let n = 0; n < CHATS; n += 1) send({ type: 'chat', id: `load-${(count += 1)}`, text: `message ${count} of the load` });
    for (let n = 0; n < GIFTS; n += 1) {
      const name = `load-gift-${(count += 1)}`;
      send({ type: 'gift', id: name, gift: { name, count: 1, price_minor: 100 } }, name);
    }
  }, ROUND_MS);
  return async () => {
    clearInterval(timer);
    await Promise.all(open);
    return { taken, count };
  };
}

test('a drain under 200 messages a second loses no gift, shows none twice, and danmaku go on flying', async (t) => {
  const pages = [];
  const visit = async (name) => {
    // A context of its own: the browser lets a page behind another one stand still.
    const page = await (await noting(browser)).newPage();
    page.faults = [];
    page.on('pageerror', (error) => page.faults.push(error.message));
    await page.goto(`${server.origin}/?name=${name}`);
    await connected(page);
    return page;
  };
  pages.push(await visit('Cy'));
  const from = await gatewayOf(pages[0]);
  // Entry spreads viewers: the second page comes again until it is at the same gateway.
  const other = await until('a second page at the same gateway', async () => {
    const page = await visit('Dee');
    if ((await gatewayOf(page)) === from) return page;
    await page.context().close();
    return null;
  });
  pages.push(other);
  const gateway = Object.values(members).find(({ origin }) => origin && new URL(origin).host === from);
  const token = await server.token('giver', 'admin', '*');
  await Promise.all(pages.map(watch));
  const stop = load(members['uplink-1'].origin, token);
  await pause(AROUND_MS);
  await server.adminPost('/v1/admin/drain', { within_secs: 3 }, gateway.admin);
  for (const page of pages) await until('the page has moved', async () => (await gatewayOf(page)) !== from);
  await pause(AROUND_MS);
  const { taken, count } = await stop();
  for (const [at, page] of pages.entries()) {
    const given = () => page.evaluate(() => window.given.filter((name) => name.startsWith('load-gift-')));
    await until('all gifts are there', async () => (await given()).length >= taken.length, 15_000).catch(async (error) => {
      const shown = new Set(await given());
      t.diagnostic(`${taken.length} taken, ${shown.size} shown, missing ${taken.filter((name) => !shown.has(name)).slice(0, 20)}`);
      throw error;
    });
    assert.deepEqual((await given()).sort(), [...taken].sort(), 'each gift once');
    const looks = (await page.evaluate(() => window.looks)).slice(AROUND_MS / LOOK_MS / 2);
    const blank = longestBlank(looks);
    t.diagnostic(`page ${at + 1}: ${taken.length} gifts of ${count} messages, ${looks.length} looks, ${blank} in a row without a danmaku that moves`);
    assert.ok(looks.length > AROUND_MS / LOOK_MS, `${looks.length} looks`);
    assert.ok(blank <= BLANK_LOOKS_MAX, `${blank} looks without a picture`);
    assert.deepEqual(page.faults, []);
  }
});

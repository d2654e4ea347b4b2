// The page with a fleet of processes: entry, gateways and uplinks have different origins.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { chats, connected, launch, newContext, open, send } from './browser.mjs';
import { Server, until } from './server.mjs';

let server;
let browser;
let members;

before(async () => {
  server = await Server.start('--cluster', '--gateways', '2', '--uplinks', '1');
  members = server.members();
  browser = await launch();
});
after(async () => {
  await browser?.close();
  await server?.stop();
});

/** Returns the host of the gateway to which a page is connected. */
function gatewayOf(page) {
  return page.evaluate(() => window.gateways.at(-1));
}

/** Creates a browser context whose pages list the hosts of their sockets in `window.gateways`. */
async function noting(browser) {
  const context = await newContext(browser, { locale: 'en-US' });
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

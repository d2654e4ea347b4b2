// The page through real proxies: which transport carries in each direction, and that no gift is lost
// or shown twice.

import assert from 'node:assert/strict';
import { after, before, describe, test } from './suite.mjs';
import { chats, gifts, launch, open, send } from './browser.mjs';
import { bufferingNginx, freePort, Meddler, squid } from './proxies.mjs';
import { Server, until } from './server.mjs';

let server;
let browser;

before(async () => {
  server = await Server.start();
  browser = await launch();
});
after(async () => {
  await browser?.close();
  await server?.stop();
});

const transport = (page) => page.getAttribute('#state', 'data-transport');

async function give(to, token, prefix, count) {
  const names = [];
  for (let n = 0; n < count; n += 1) {
    const name = `${prefix}-${n}`;
    const answer = await to.post(token, { type: 'gift', id: name, gift: { name, count: 1 } });
    assert.equal(answer.outcome, 'broadcast', JSON.stringify(answer));
    names.push(name);
  }
  return names;
}

/** Asserts that the list shows exactly these gifts, each once, in this order. */
async function shows(page, prefix, names) {
  const mine = async () => (await gifts(page)).filter((name) => name.startsWith(prefix));
  await until(`${names.length} gifts of ${prefix}`, async () => (await mine()).length >= names.length, 30_000);
  assert.deepEqual(await mine(), names);
}

/**
 * Opens the page behind a proxy, gives and sends. Returns the transports that carried. With `earlier`, gifts
 * from before the page must come from the history.
 */
async function carried(name, to, origin, { earlier = 0, ...options } = {}) {
  const token = await to.token('giver');
  const past = await give(to, token, `${name}-past`, earlier);
  const began = performance.now();
  const page = await open(browser, { origin }, { query: `?name=${name}`, ...options });
  const openedMs = Math.round(performance.now() - began);
  const ways = new Set();
  page.on('response', (response) => {
    const { pathname } = new URL(response.url());
    if (response.request().method() === 'POST' && response.ok()) ways.add(pathname.split('/').pop());
  });
  await shows(page, name, [...past, ...(await give(to, token, name, 8))]);
  await send(page, `from ${name}`);
  const mine = async () => (await chats(page)).filter((text) => text === `from ${name}`);
  await until('the own message', async () => (await mine()).length > 0, 30_000);
  assert.equal((await mine()).length, 1);
  const found = { down: await transport(page), up: ways.has('tunnel') ? 'tunnel' : 'messages' };
  console.log(`# ${name}: ${JSON.stringify(found)}, open after ${openedMs} ms`);
  await page.context().close();
  return found;
}

// Each case mostly waits, for a proxy or a deadline of the page: three of them share the machine.
describe('the page behind proxies', { concurrency: 3 }, () => {
  for (const [tunnels, down] of [[true, 'ws'], [false, 'sse']]) {
    test(`through Squid ${tunnels ? 'with' : 'without'} CONNECT`, async () => {
      const proxy = await squid({ tunnels });
      try {
        const options = { proxy: { server: proxy.origin } };
        assert.deepEqual(await carried(`squid-${tunnels}`, server, server.origin, options), { down, up: 'messages' });
      } finally {
        await proxy.stop();
      }
    });
  }

  test('through an nginx that buffers event streams', async () => {
    const port = await freePort();
    const urls = JSON.stringify([`http://127.0.0.1:${port}`]);
    const behind = await Server.startWith({ GATEWAY__BASE_URLS: urls, UPLINK__BASE_URLS: urls });
    try {
      const proxy = await bufferingNginx(port, behind.origin);
      try {
        assert.deepEqual(await carried('nginx', behind, proxy.origin), { down: 'poll', up: 'messages' });
      } finally {
        await proxy.stop();
      }
    } finally {
      await behind.stop();
    }
  });

  const meddlings = {
    refuse: { down: 'sse', up: 'messages' },
    as200: { down: 'sse', up: 'messages' },
    headers: { down: 'sse', up: 'tunnel' },
    api: { down: 'ws', up: 'tunnel' },
  };
  for (const [mode, expected] of Object.entries(meddlings)) {
    test(`through a proxy of the mode ${mode}`, async () => {
      const proxy = await Meddler.start(mode);
      try {
        const options = { proxy: { server: proxy.origin }, earlier: mode === 'api' ? 2 : 0 };
        assert.deepEqual(await carried(mode, server, server.origin, options), expected);
      } finally {
        await proxy.stop();
      }
    });
  }

  test('across changes of the network the best transport carries, and no gift is lost or shown twice', async () => {
    const proxy = await Meddler.start('refuse');
    try {
      const token = await server.token('giver');
      const page = await open(browser, server, { proxy: { server: proxy.origin } });
      assert.equal(await transport(page), 'sse');
      const names = await give(server, token, 'change-a', 3);
      await shows(page, 'change', names);
      // Another network, which passes everything: the page probes at once.
      proxy.mode = 'pass';
      await page.evaluate(() => dispatchEvent(new Event('online')));
      names.push(...(await give(server, token, 'change-b', 5)));
      await until('a WebSocket carries', async () => (await transport(page)) === 'ws');
      names.push(...(await give(server, token, 'change-c', 3)));
      await shows(page, 'change', names);
      // The WebSocket is cut; a portal answers for a while.
      proxy.mode = 'portal';
      proxy.cut();
      names.push(...(await give(server, token, 'change-d', 5)));
      await page.waitForSelector('#state:not([data-state=open])', { state: 'attached' });
      proxy.mode = 'pass';
      names.push(...(await give(server, token, 'change-e', 3)));
      await until('the page is back', async () => (await transport(page)) === 'ws', 30_000);
      await shows(page, 'change', names);
      assert.deepEqual(page.faults, []);
    } finally {
      await proxy.stop();
    }
  });
});

// Notifications: the service worker, to which Chromium delivers pushes as its push service would, and what asks for the
// permission. The push service itself is one of the browser's maker, and is not reached from tests. Chromium without a
// window has no notifications: there the test takes the place of the system's list. `CHROMIUM_BIN=/usr/bin/chromium` runs
// these tests with a browser that has them.

import assert from 'node:assert/strict';
import { after, afterEach, before, test } from './suite.mjs';
import { connected, launch, newContext } from './browser.mjs';
import { Server, until } from './server.mjs';
import { Source } from './source.mjs';

let source;
let browser;

before(async () => {
  source = await Source.start();
  browser = await launch();
});
afterEach(async () => {
  for (const context of browser.contexts()) await context.close();
});
after(async () => {
  await browser?.close();
  await source?.stop();
});

/** Opens the page with its service worker; `push` delivers a note as the push service does. */
async function withWorker() {
  const context = await newContext(browser, { locale: 'en-US' });
  await context.grantPermissions(['notifications'], { origin: source.origin });
  const page = await context.newPage();
  await page.goto(`${source.origin}/?room=demo`);
  await connected(page);
  const cdp = await context.newCDPSession(page);
  const found = new Promise((resolve) => {
    cdp.on('ServiceWorker.workerVersionUpdated', ({ versions }) => {
      const active = versions.find(({ status }) => status === 'activated');
      if (active) resolve(active.registrationId);
    });
  });
  await cdp.send('ServiceWorker.enable');
  await page.evaluate(async () => {
    await navigator.serviceWorker.register('./push_worker.js');
    await navigator.serviceWorker.ready;
  });
  const registrationId = await found;
  const push = (data) => cdp.send('ServiceWorker.deliverPushMessage', { origin: source.origin, registrationId, data: typeof data === 'string' ? data : JSON.stringify(data) });
  const [worker] = context.serviceWorkers();
  await worker.evaluate(() => {
    if (Notification.permission !== 'granted') {
      const list = new Map();
      ServiceWorkerRegistration.prototype.showNotification = async (title, { tag, body, data }) => void list.set(tag, { tag, title, body, data });
      ServiceWorkerRegistration.prototype.getNotifications = async () => [...list.values()];
    }
    globalThis.badges = [];
    navigator.setAppBadge = async (count) => void globalThis.badges.push(count);
    navigator.clearAppBadge = async () => void globalThis.badges.push(0);
  });
  return { page, worker, push };
}

/** Returns the notifications that the browser shows, by their tags. */
function shown(worker) {
  return worker.evaluate(async () => {
    const all = await self.registration.getNotifications();
    return all.map(({ tag, title, body, data }) => ({ tag, title, body, opens: data.opens }));
  });
}

/** Clicks a notification, and returns where the worker went. */
function click(worker, opens) {
  return worker.evaluate(async (opened) => {
    const went = { windows: [], focused: [] };
    self.clients.openWindow = async (url) => void went.windows.push(url);
    // A click of a user allows both; this one is the test's.
    WindowClient.prototype.focus = async function focus() {
      went.focused.push(this.url);
      return this;
    };
    const works = [];
    const event = new ExtendableEvent('notificationclick');
    Object.defineProperty(event, 'notification', { value: { close() {}, data: { opens: opened } } });
    event.waitUntil = (work) => works.push(work);
    self.dispatchEvent(event);
    await Promise.all(works);
    return went;
  }, opens);
}

const note = { kind: 'letter', title: 'Ann', body: '<b>hello</b>', collapse: 'c-1', opens: 'd.00ff', badge: 3 };

test('a push is one notification for each conversation, with the number on the icon', async () => {
  const { worker, push } = await withWorker();
  await push(note);
  await until('the first is shown', async () => (await shown(worker)).length === 1);
  await push({ ...note, body: 'and again', badge: 4 });
  await push({ ...note, title: 'Bo', collapse: 'c-2', opens: 'g.01', badge: 5 });
  await until('both are shown', async () => (await shown(worker)).length === 2);
  const all = (await shown(worker)).sort((one, other) => one.tag.localeCompare(other.tag));
  assert.deepEqual(all, [
    { tag: 'c-1', title: 'Ann', body: 'and again', opens: 'd.00ff' },
    { tag: 'c-2', title: 'Bo', body: '<b>hello</b>', opens: 'g.01' },
  ]);
  assert.deepEqual(await worker.evaluate(() => globalThis.badges), [3, 4, 5]);
});

test('a push that no server of Barrage has sent is a notification without a text', async () => {
  const { worker, push } = await withWorker();
  await push('no json');
  await until('it is shown', async () => (await shown(worker)).length === 1);
  assert.deepEqual(await shown(worker), [{ tag: 'letter', title: 'Barrage', body: '', opens: '' }]);
  assert.deepEqual(await worker.evaluate(() => globalThis.badges), []);
});

test('a click goes to a page that can show it, else to a new one, and never to another site', async () => {
  const { page, worker } = await withWorker();
  await page.evaluate(() => {
    window.opened = [];
    navigator.serviceWorker.addEventListener('message', ({ data }) => window.opened.push(data));
  });
  const here = `${source.origin}/?room=demo`;
  assert.deepEqual(await click(worker, 'd.00ff'), { windows: [], focused: [here] });
  assert.deepEqual(await click(worker, 'demo'), { windows: [], focused: [here] });
  await until('the page was told', async () => (await page.evaluate(() => window.opened.length)) === 2);
  assert.deepEqual(await page.evaluate(() => window.opened), [{ type: 'barrage.open', opens: 'd.00ff' }, { type: 'barrage.open', opens: 'demo' }]);
  assert.deepEqual(await click(worker, 'other'), { windows: [`${source.origin}/?room=other`], focused: [] });
  await page.goto('about:blank');
  assert.deepEqual(await click(worker, 'd.00ff'), { windows: [`${source.origin}/?conversation=d.00ff`], focused: [] });
  assert.deepEqual(await click(worker, 'https://evil.example/'), { windows: [`${source.origin}/`], focused: [] });
});

test('the page alone asks for nothing and has no worker', async () => {
  const context = await newContext(browser, { locale: 'en-US' });
  const page = await context.newPage();
  await page.addInitScript(() => {
    window.asked = 0;
    Notification.requestPermission = async () => {
      window.asked += 1;
      return 'denied';
    };
  });
  await page.goto(`${source.origin}/?room=demo`);
  await connected(page);
  const state = await page.evaluate(async () => [window.asked, (await navigator.serviceWorker.getRegistrations()).length]);
  assert.deepEqual(state, [0, 0]);
});

test('the server sends the worker beside the page, as a script that browsers ask for anew', async () => {
  const server = await Server.start();
  try {
    const answer = await fetch(`${server.origin}/push_worker.js`);
    const fields = ['content-type', 'cache-control', 'x-content-type-options'].map((name) => answer.headers.get(name));
    assert.deepEqual([answer.status, ...fields], [200, 'text/javascript; charset=utf-8', 'no-cache', 'nosniff']);
    assert.match(answer.headers.get('content-security-policy'), /^default-src 'self'; connect-src 'self'/);
    assert.match(await answer.text(), /notificationclick/);
  } finally {
    await server.stop();
  }
});

// Notifications on the player page, with a real server: when the page and the browser ask, what the server keeps, and
// what a click opens. Chromium delivers the pushes itself; the test takes the place of the permission and of the push
// service of the browser's maker, which are not reached from here.

import assert from 'node:assert/strict';
import { createECDH, randomBytes } from 'node:crypto';
import { test } from './suite.mjs';
import { violations } from './axe.mjs';
import { acquaint, openThread, reader, request, shown, type, write } from './letters.mjs';
import { rig } from './rig.mjs';
import { Server, until } from './server.mjs';

const site = rig(() => Server.startWith({ PUSH__CONTACT: 'mailto:ops@example.com' }));

/** Opens the page of a user. `page.sent` has the frames that it sent; `window.asked` counts the questions of the browser. */
async function visit(user, options = {}) {
  const browserKey = createECDH('prime256v1');
  const keys = { p256dh: browserKey.generateKeys().toString('base64url'), auth: randomBytes(16).toString('base64url') };
  const sent = [];
  const page = await reader(site.browser, site.server, user, {
    ...options,
    prepare: async (made) => {
      made.on('websocket', (socket) => socket.on('framesent', ({ payload }) => sent.push(payload)));
      await made.addInitScript(playBrowser, { keys, endpoint: `https://push.example/${user}` });
      await options.prepare?.(made);
    },
  });
  page.sent = sent;
  return page;
}

/** Runs in the page: plays the permission and the push service. */
function playBrowser({ keys, endpoint }) {
  window.asked = 0;
  const kept = (name) => localStorage.getItem(`played.${name}`);
  Object.defineProperty(Notification, 'permission', { get: () => kept('permission') ?? 'default' });
  Notification.requestPermission = async () => {
    window.asked += 1;
    localStorage.setItem('played.permission', window.answer ?? 'granted');
    return Notification.permission;
  };
  const subscription = (key) => ({
    options: { applicationServerKey: Uint8Array.from(key.split(','), Number).buffer },
    toJSON: () => ({ endpoint, expirationTime: null, keys }),
    unsubscribe: async () => {
      localStorage.removeItem('played.key');
      return true;
    },
  });
  PushManager.prototype.getSubscription = async () => (kept('key') === null ? null : subscription(kept('key')));
  PushManager.prototype.subscribe = async ({ applicationServerKey: key }) => {
    localStorage.setItem('played.key', [...key].join());
    return subscription(kept('key'));
  };
}

const asked = (page) => page.evaluate(() => window.asked);
const devices = async (user) => (await request(site.server, user, 'GET', '/v1/inbox/devices')).devices;

test('the settings switch this device, the kinds and the quiet hours, in both languages', async () => {
  const { server } = site;
  const page = await visit('ann');
  assert.deepEqual([await asked(page), await page.$('#push-offer, .push-settings')], [0, null], 'a page that was opened asks nothing');
  await page.click('#settings-open');
  await page.waitForSelector('.push-settings [role=status]:text-is("This device gets no notifications.")');
  await page.click('.push-settings button:text-is("Notify me")');
  await page.waitForSelector('.push-settings [role=status]:text-is("This device gets notifications.")');
  assert.equal(await asked(page), 1);
  const [device, ...others] = await devices('ann');
  assert.deepEqual([device.platform, others], ['web', []]);
  await until('the connection knows that it is in front', () => page.sent.some((frame) => `${frame}`.includes(`"device":"${device.device}","visible":true`)));
  await page.uncheck('.push-settings input[name=push-mentions]', { force: true });
  await page.check('.push-settings input[name=push-quiet]', { force: true });
  await page.fill('.push-settings input[name=push-from]', '23:30');
  const zone = await page.evaluate(() => Intl.DateTimeFormat().resolvedOptions().timeZone);
  await until('the server has the settings', async () => {
    const { letters, mentions, live, quiet } = await request(server, 'ann', 'GET', '/v1/inbox/notifications');
    return letters && !mentions && live && quiet?.from === '23:30' && quiet.to === '07:00' && quiet.zone === zone;
  });
  assert.deepEqual(await violations(page, '#settings'), [], 'the settings');
  await page.reload();
  await page.waitForSelector('#letters-open:not([hidden])');
  await page.click('#language');
  await page.click('#settings-open');
  await page.waitForSelector('.push-settings [role=status]:text-is("本设备会收到通知。")');
  await page.waitForSelector('.push-settings input[name=push-mentions]:enabled');
  assert.deepEqual([await page.isChecked('input[name=push-mentions]'), await page.inputValue('input[name=push-from]')], [false, '23:30']);
  assert.deepEqual(await violations(page, '#settings'), [], '设置');
  await page.click('.push-settings button:text-is("关闭通知")');
  await page.waitForSelector('.push-settings [role=status]:text-is("本设备不会收到通知。")');
  assert.deepEqual(await devices('ann'), []);
  assert.deepEqual(page.faults, []);
});

test('a browser that refuses is asked once, and the settings say what to do', async () => {
  const page = await visit('dan');
  await page.evaluate(() => {
    window.answer = 'denied';
  });
  await page.click('#settings-open');
  await page.click('.push-settings button:text-is("Notify me")');
  await page.waitForSelector('.push-settings [role=status]:has-text("The browser blocks notifications of this site")');
  assert.ok(await page.isHidden('.push-settings button'));
  assert.deepEqual([await asked(page), await devices('dan')], [1, []]);
  assert.deepEqual(page.faults, []);
});

test('who follows a host is asked by the page first; "not now" is obeyed, and the host is followed all the same', async () => {
  const { server } = site;
  const host = await server.token('mia', 'host', 'demo', ['--name', 'Mia']);
  const named = await fetch(`${server.origin}/v1/rooms/demo/attributes/inbox.host`, {
    method: 'PUT', headers: { Authorization: `Bearer ${host}`, 'Content-Type': 'application/json' }, body: '{"id":"host-1","text":"mia"}',
  });
  assert.ok(named.ok, await named.text());
  const [bo, li] = [await visit('bo'), await visit('li', { locale: 'zh-CN', viewport: { width: 390, height: 844 } })];
  const follow = '[data-fans=follow]';
  await bo.click(`${follow}[aria-pressed=false]:has-text("Tell me when live")`);
  await bo.waitForSelector(`${follow}[aria-pressed=true]`);
  await bo.waitForSelector('#push-offer');
  assert.equal(await asked(bo), 0, 'the browser is asked when the viewer says yes');
  assert.deepEqual(await violations(bo, '.fans'), [], 'the bar below the stream');
  assert.deepEqual(await violations(bo, '#push-offer'), [], 'the question');
  assert.deepEqual(await request(server, 'bo', 'GET', '/v1/follows'), { hosts: ['mia'] });
  await bo.click('#push-offer button:text-is("Notify me")');
  await bo.waitForSelector('#push-offer', { state: 'detached' });
  assert.deepEqual([await asked(bo), (await devices('bo')).length], [1, 1]);
  await bo.click(follow);
  await bo.waitForSelector(`${follow}[aria-pressed=false]`);
  assert.deepEqual(await request(server, 'bo', 'GET', '/v1/follows'), { hosts: [] });

  await li.click(`${follow}:has-text("开播提醒")`);
  await li.click('#push-offer button:text-is("以后再说")');
  await li.click(`${follow}[aria-pressed=true]`);
  await li.click(`${follow}[aria-pressed=false]`);
  await li.waitForSelector(`${follow}[aria-pressed=true]`);
  await li.reload();
  await li.click(`${follow}[aria-pressed=true]`);
  await li.click(`${follow}[aria-pressed=false]`);
  await li.waitForSelector(`${follow}[aria-pressed=true]`);
  assert.deepEqual([await asked(li), await li.$('#push-offer'), await devices('li')], [0, null, []]);
  assert.deepEqual(await request(server, 'li', 'GET', '/v1/follows'), { hosts: ['mia'] });
  for (const page of [bo, li]) assert.deepEqual(page.faults, []);
});

test('who writes a letter is offered notifications, and a click on one opens the conversation', async () => {
  const { server } = site;
  const conversation = await acquaint(server, 'olga', 'pia');
  const pia = await visit('pia');
  const cdp = await pia.context().newCDPSession(pia);
  const registration = new Promise((resolve) => {
    cdp.on('ServiceWorker.workerVersionUpdated', ({ versions }) => {
      const active = versions.find(({ status }) => status === 'activated');
      if (active) resolve(active.registrationId);
    });
  });
  await cdp.send('ServiceWorker.enable');
  await openThread(pia, 'Olga');
  await type(pia, 'are you there?');
  await pia.click('#push-offer button:text-is("Notify me")');
  await until('the device is registered', async () => (await devices('pia')).length === 1);
  await pia.click('.letters-head [aria-label=Close]');
  await write(server, 'olga', 'pia', 'yes, here');
  const [worker] = pia.context().serviceWorkers();
  await worker.evaluate(() => {
    globalThis.notes = [];
    ServiceWorkerRegistration.prototype.showNotification = async (title, { data }) => void globalThis.notes.push({ title, opens: data.opens });
    // Chromium without a window ends at a call for a number on an icon.
    navigator.setAppBadge = async (count) => void globalThis.notes.push(count);
    // A click of a user may focus a page; this one is the test's.
    WindowClient.prototype.focus = async function focus() {
      return this;
    };
  });
  const note = { kind: 'letter', title: 'Olga', body: 'yes, here', collapse: 'c', opens: conversation, badge: 1 };
  await cdp.send('ServiceWorker.deliverPushMessage', { origin: server.origin, registrationId: await registration, data: JSON.stringify(note) });
  await until('the notification is shown', () => worker.evaluate(() => globalThis.notes.length === 2));
  assert.deepEqual(await worker.evaluate(() => globalThis.notes), [{ title: 'Olga', opens: conversation }, 1], 'the notification, and the number on the icon');
  await worker.evaluate(async (opens) => {
    const works = [];
    const event = new ExtendableEvent('notificationclick');
    Object.defineProperty(event, 'notification', { value: { close() {}, data: { opens } } });
    event.waitUntil = (work) => works.push(work);
    self.dispatchEvent(event);
    await Promise.all(works);
  }, conversation);
  await until('the conversation is open', async () => (await shown(pia)).includes('yes, here'));
  assert.equal(await pia.textContent('.letters-title'), 'Olga');
  // Without a page, the click opens one at this address.
  await pia.goto(`${server.origin}/?conversation=${conversation}#token=${await server.token('pia', 'viewer', 'demo', ['--name', 'Pia'])}`);
  await until('the conversation is open', async () => (await shown(pia)).includes('yes, here'));
  assert.deepEqual(pia.faults, []);
});

test('a server that sends no notifications offers none', async () => {
  const plain = await Server.start();
  try {
    const page = await reader(site.browser, plain, 'quin', { prepare: (made) => made.addInitScript(() => (window.asked = 0)) });
    await page.click('#settings-open');
    await page.waitForSelector('#settings[open]');
    await until('the key was asked for', async () => page.evaluate(() => performance.getEntriesByType('resource').some(({ name }) => name.endsWith('/v1/push/key'))));
    assert.equal(await page.$('.push-settings'), null);
    assert.deepEqual(page.faults, []);
  } finally {
    await plain.stop();
  }
});

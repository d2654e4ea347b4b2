// What the lists of the overlay and of the element skip when more messages wait for a frame than they have rows.

import assert from 'node:assert/strict';
import { test } from './suite.mjs';
import { newContext } from './browser.mjs';
import { rig } from './rig.mjs';
import { until } from './server.mjs';
import { Source } from './source.mjs';

const started = rig(() => Source.start());
const part = (value) => Buffer.from(JSON.stringify(value)).toString('base64url');
/** An unsigned token of `mia`: the scripted server does not verify it. */
const TOKEN = `${part({ alg: 'none' })}.${part({ sub: 'mia', name: 'Mia' })}.c2ln`;

const gift = (name) => ({ type: 'gift', user: 'g', name: 'Gil', gift: { name, count: 1 } });
const paid = { type: 'super_chat', user: 's', name: 'Sue', text: 'paid', amount_minor: 3_000, currency: 'USD' };
const chats = (count, user = 'c') => Array.from({ length: count }, (_, at) => ({ type: 'chat', user, name: 'Cy', text: `${user} ${at}` }));

async function visit() {
  const page = await (await newContext(started.browser, { viewport: { width: 900, height: 700 }, locale: 'en-US' })).newPage();
  return { page, source: started.server };
}

test('the overlay skips chat before gifts and super chats', async () => {
  const { page, source } = await visit();
  await page.goto(`${source.origin}/overlay/index.html?room=demo&max=20&alerts=0&ticker=0`);
  await page.waitForSelector('#overlay[data-state=open]');
  source.say(gift('first'), ...chats(10), paid, gift('second'), ...chats(90, 'd'));
  await until('the newest chat is shown', () => page.evaluate(() => document.querySelector('.row:last-child .message')?.textContent === 'd 89'));
  const rows = await page.$$eval('.row', (all) => all.map(({ dataset }) => dataset.type));
  assert.equal(rows.length, 20);
  assert.deepEqual(rows.slice(0, 3), ['gift', 'super_chat', 'gift']);
  assert.deepEqual(new Set(rows.slice(3)), new Set(['chat']));
});

test('the element skips chat of others before gifts, super chats and own messages', async () => {
  const { page, source } = await visit();
  source.user = 'mia';
  await page.goto(`${source.origin}/overlay/index.html`);
  await page.addScriptTag({ url: `${source.origin}/sdk/element.js` });
  await page.evaluate((token) => {
    const element = Object.assign(document.createElement('barrage-room'), { style: 'height: 500px' });
    element.setAttribute('room', 'demo');
    element.setAttribute('token', token);
    document.body.replaceChildren(element);
  }, TOKEN);
  await until('it is open', () => page.evaluate(() => document.querySelector('barrage-room').session?.state.kind === 'open'));
  source.say(gift('first'), ...chats(2, 'mia'), ...chats(50), paid, ...chats(200, 'd'));
  const rows = () => page.evaluate(() => [...document.querySelector('barrage-room').shadowRoot.querySelectorAll('.row')].map((row) => [row.classList[1], row.dataset.user, row.querySelector('.words').textContent]));
  await until('the newest chat is shown', async () => (await rows()).at(-1)?.[2] === 'd 199');
  const all = await rows();
  assert.equal(all.length, 150);
  assert.deepEqual(all.slice(0, 4).map(([kind, user]) => `${kind} ${user}`), ['gift g', 'chat mia', 'chat mia', 'super s']);
  assert.deepEqual(new Set(all.slice(4).map(([, user]) => user)), new Set(['d']));
});

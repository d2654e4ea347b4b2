// A moderator, a viewer and a newcomer: what the moderator does is seen by both viewers,
// whether they were there or come later.

import assert from 'node:assert/strict';
import { after, before, test } from './suite.mjs';
import { chats, launch, MOVING, open, send } from './browser.mjs';
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

let actions = 0;

async function act(token, action) {
  actions += 1;
  const answer = await server.post(token, { id: `a-${actions}`, action }, 'demo', 'actions');
  assert.equal(answer.status, 200, JSON.stringify(answer));
  return answer;
}

function shown(page) {
  return page.evaluate(() => ({
    title: document.getElementById('room').textContent,
    pinned: document.getElementById('pinned').hidden ? '' : document.getElementById('pinned').textContent,
    rules: document.getElementById('rules').hidden ? '' : document.getElementById('rules').textContent,
  }));
}

test('a newcomer sees what a viewer sees: title, rules and the pinned message', async () => {
  const host = await server.token('hal', 'host');
  const moderator = await open(browser, server, { token: await server.token('mia', 'moderator') });
  const ann = await open(browser, server, { token: await server.token('ann') });
  await send(ann, 'a fine message');
  await until('the moderator sees it', async () => (await chats(moderator)).includes('a fine message'));
  const post = await server.post(host, { type: 'chat', id: 'h-1', text: 'no <b>spoilers</b>' });
  await act(host, { type: 'pin', sequence: post.sequence });
  await act(host, { type: 'slow_mode', secs: 9 });
  const admin = await server.token('boss', 'admin', '*');
  const put = await fetch(`${server.admin}/v1/admin/rooms/demo`, {
    method: 'PUT',
    headers: { Authorization: `Bearer ${admin}`, 'Content-Type': 'application/json' },
    body: JSON.stringify({ title: 'Launch <i>night</i>' }),
  });
  assert.equal(put.status, 200);
  const newcomer = await open(browser, server, { query: '?name=New' });
  for (const page of [ann, moderator, newcomer]) {
    await until('the state is shown', async () => {
      const { title, pinned, rules } = await shown(page);
      return title === 'Launch <i>night</i>' && pinned.includes('no <b>spoilers</b>') && rules.includes('9 s');
    });
  }
  assert.equal(await newcomer.title(), 'Launch <i>night</i> · Barrage');
  await act(host, { type: 'slow_mode', secs: 0 });
  await act(host, { type: 'unpin' });
  const last = await open(browser, server, { query: '?name=Last' });
  for (const page of [ann, newcomer, last]) {
    await until('the state is over', async () => {
      const { pinned, rules } = await shown(page);
      return pinned === '' && rules === '';
    });
  }
  // A recall and a purge leave no page with the text, also none that comes later.
  await send(ann, 'bad words');
  await until('all see it', async () => (await chats(newcomer)).includes('bad words'));
  await act(await server.token('mia', 'moderator'), { type: 'purge', user: 'ann' });
  const late = await open(browser, server, { query: '?name=Late' });
  for (const page of [ann, moderator, newcomer, late]) {
    await until('it is gone', async () => {
      const texts = await page.textContent('body');
      return !texts.includes('bad words') && !texts.includes('a fine message');
    });
    assert.deepEqual(page.faults, []);
  }
});

test('viewers and newcomers have the reactions that a moderator gave the room', async () => {
  const offered = (page) => page.$$eval('#reactions .react', (all) => all.map(({ dataset, textContent, title }) => [dataset.reaction, textContent, title].join(' ')));
  const moderator = await open(browser, server, { token: await server.token('kim', 'moderator') });
  const viewer = await open(browser, server, { ...MOVING, query: '?name=Cy' });
  await until('those of the platform', async () => (await offered(viewer)).length === 4);
  await send(moderator, '/reactions gg fire sparkle');
  const own = ['gg 🤝 Good game', 'fire 🔥 Fire', 'sparkle sparkle sparkle'];
  await until('the viewer has the set', async () => String(await offered(viewer)) === String(own));
  const newcomer = await open(browser, server, { query: '?name=Di' });
  await until('the newcomer has it', async () => String(await offered(newcomer)) === String(own));
  await newcomer.click('[data-reaction=sparkle]');
  await until('the room sees it', () => viewer.evaluate(() => [...document.querySelectorAll('#hearts .heart')].some(({ textContent }) => textContent === 'sparkle')));
  assert.deepEqual(await offered(viewer), own);
  await send(moderator, '/reactions none');
  await until('no reactions', async () => (await offered(viewer)).length === 0);
  await send(moderator, '/reactions default');
  await until('those of the platform again', async () => (await offered(viewer)).length === 4);
});

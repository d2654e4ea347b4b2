// A poll on the page: two viewers vote, the bars move, a late viewer sees it, and the result stays.

import assert from 'node:assert/strict';
import { after, before, test } from './suite.mjs';
import { launch, open } from './browser.mjs';
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

const shares = (page) => page.$$eval('.poll-share', (shares) => shares.map((share) => share.textContent));

test('viewers vote once, see the bars move, and see the result', async () => {
  const token = await server.token('mod', 'moderator');
  const call = async (path, body) => {
    const answer = await fetch(`${server.origin}/v1/rooms/demo/polls${path}`, {
      method: 'POST',
      headers: { Authorization: `Bearer ${token}` },
      body: JSON.stringify(body),
    });
    assert.equal(answer.status, 200, await answer.clone().text());
    return answer.json();
  };
  const ann = await open(browser, server, { query: '?name=Ann' });
  const bob = await open(browser, server, { query: '?name=Bob' });
  try {
    await call('', { id: 'p1', question: '<b>Which</b> way?', options: ['left <i>', '右'], secs: 600 });
    await ann.waitForSelector('#poll:not([hidden]) .poll-option:not([disabled])');
    assert.equal(await ann.textContent('.poll-question'), '<b>Which</b> way?', 'text is never markup');
    await bob.waitForSelector('#poll:not([hidden]) .poll-option:not([disabled])');
    await ann.click('.poll-option >> nth=0');
    await bob.click('.poll-option >> nth=1');
    for (const page of [ann, bob]) {
      await until('both votes are shown', async () => (await shares(page)).join() === '50%,50%');
      assert.equal(await page.$$eval('.poll-option:not([disabled])', (all) => all.length), 0, 'one vote each');
    }
    assert.equal(await ann.getAttribute('.poll-option >> nth=0', 'aria-pressed'), 'true');
    const scale = await ann.$eval('.poll-option', (option) => option.style.getPropertyValue('--share'));
    assert.equal(Number(scale), 0.5);
    const { votes } = await call('/p1/close', {});
    assert.deepEqual(votes, [1, 1]);
    for (const page of [ann, bob]) {
      await until('the result is shown', async () => /2/.test(await page.textContent('.poll-total')) && (await page.$$('.poll-option:not([disabled])')).length === 0);
      assert.deepEqual(page.faults, []);
    }
  } finally {
    await ann.context().close();
    await bob.context().close();
  }
});

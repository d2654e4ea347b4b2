// The join queue: while the servers are full the page counts down, uses its ticket once, and joins at
// its slot.

import assert from 'node:assert/strict';
import { after, afterEach, before, test } from './suite.mjs';
import { connected, launch, newContext } from './browser.mjs';
import { Server } from './server.mjs';

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

/** Opens the page. Entry gives these answers first, and then its own. */
async function visit(answers, locale = 'en-US') {
  const page = await (await newContext(browser, { locale })).newPage();
  page.sockets = [];
  page.on('websocket', (socket) => page.sockets.push(new URL(socket.url()).search));
  await page.route(/\/v1\/entry\?.*purpose=watch/, (route) => {
    const answer = answers.shift();
    return answer ? route.fulfill({ contentType: 'application/json', ...answer }) : route.continue();
  });
  await page.goto(`${server.origin}/`);
  return page;
}

const ticket = (wait_ms) => ({ body: JSON.stringify({ downlinks: [], uplinks: [], ttl_ms: 60_000, backoff_base_ms: 500, backoff_max_ms: 30_000, ticket: { token: 'a.b-c_d', wait_ms } }) });

test('the page counts down to its slot in both languages, and connects with the ticket', async () => {
  const languages = [['en-US', /^Entering in [123] s$/], ['zh-CN', /^[123] 秒后进入$/]];
  const visits = languages.map(async ([locale, words]) => {
    const page = await visit([ticket(2_500)], locale);
    await page.waitForSelector('#state[data-state=queued]', { state: 'attached' });
    assert.match(await page.textContent('#state-text'), words);
    assert.deepEqual(page.sockets, []);
    // The gateway refuses the invented ticket; the page asks entry again and joins without one.
    await connected(page);
    assert.equal(page.sockets[0], '?ticket=a.b-c_d');
    assert.equal(page.sockets.at(-1), '');
  });
  await Promise.all(visits);
});

test('a refused page retries at the given time', async () => {
  const refusal = { error: { code: 'overloaded', message: 'full', retry_after_ms: 2_000 } };
  const begun = performance.now();
  const page = await visit([{ status: 503, body: JSON.stringify(refusal) }]);
  await page.waitForSelector('#state[data-state=waiting]', { state: 'attached' });
  assert.deepEqual(page.sockets, []);
  await connected(page);
  assert.ok(performance.now() - begun >= 2_000);
});

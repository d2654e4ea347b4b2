// Texts of senders are never markup: no text runs as a script or becomes an element.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { chats, launch, open } from './browser.mjs';
import { CORPUS } from './corpus.mjs';
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

test('scripts in texts, names and gifts are shown as text and never run', async () => {
  const page = await open(browser, server);
  const requests = [];
  page.on('request', (request) => requests.push(request.url()));
  const token = await server.token('mallory');
  for (const [index, text] of CORPUS.entries()) {
    const answer = await server.post(token, { type: 'chat', id: `x-${index}`, text });
    assert.equal(answer.status, 200, `${text}: ${JSON.stringify(answer)}`);
    // A held message is shown only to its sender.
    if (answer.outcome === 'broadcast') await until(`shown: ${text}`, async () => (await chats(page)).includes(text));
  }
  const shown = new Set(await chats(page));
  assert.ok(CORPUS.filter((text) => shown.has(text)).length >= 10, 'most of the corpus was shown');

  for (const [index, name] of CORPUS.slice(0, 8).entries()) {
    // Names have 1 to 40 characters: the server refuses longer ones.
    await server.post(token, { type: 'gift', id: `g-${index}`, gift: { name, count: 1 } });
    await server.post(token, { type: 'super_chat', id: `s-${index}`, text: name, amount_minor: 100, currency: 'CNY' });
  }
  await page.waitForSelector('#list .row.super');
  await page.waitForSelector('#banners .banner');

  assert.equal(await page.evaluate(() => window.pwned), undefined);
  const strangers = await page.$$eval('#list, #flight, #banners', (roots) =>
    roots.flatMap((root) =>
      [...root.querySelectorAll('script, img, iframe, object, embed, a, form, input, style, link, meta, base, video, audio, template, marquee, math, details')].map((node) => node.outerHTML),
    ),
  );
  assert.deepEqual(strangers, []);
  assert.deepEqual(requests.filter((url) => !url.startsWith(server.origin) && !url.startsWith('ws:')), []);
  assert.deepEqual(page.faults, []);
});

test('a name in a token is shown as text', async () => {
  const page = await open(browser, server, { query: `?name=${encodeURIComponent('<img src=x onerror=window.pwned=1>')}` });
  // The server may accept, clean or refuse the name; after a refusal the page uses another name.
  await page.fill('#text', 'hello from nobody');
  await page.press('#text', 'Enter');
  await until('it shows', async () => (await chats(page)).includes('hello from nobody'));
  assert.equal(await page.evaluate(() => window.pwned), undefined);
  assert.equal(await page.$$eval('#list img, #flight img', (found) => found.length), 0);
  assert.deepEqual(page.faults, []);
});

test('the server sends a strict content security policy with the page', async () => {
  const answer = await fetch(server.origin);
  const policy = answer.headers.get('content-security-policy') ?? '';
  assert.match(policy, /default-src 'self'/);
  assert.doesNotMatch(policy, /unsafe/);
  const page = await open(browser, server);
  const ran = await page.evaluate(() => {
    const script = document.createElement('script');
    script.textContent = 'window.inline = 1';
    document.body.append(script);
    return window.inline;
  });
  assert.equal(ran, undefined, 'inline script is refused');
});

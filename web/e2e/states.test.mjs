// The states of the page with a scripted server: how a visit ends and how the page reconnects,
// refusals with their reasons, and the sign-in over a reload.

import assert from 'node:assert/strict';
import { after, afterEach, before, beforeEach, test } from './suite.mjs';
import { chats, connected, launch, newContext, open, send } from './browser.mjs';
import { until } from './server.mjs';
import { Source } from './source.mjs';

let source;
let browser;

before(async () => {
  browser = await launch();
});
beforeEach(async () => {
  await source?.stop();
  source = await Source.start();
});
afterEach(async () => {
  for (const context of browser.contexts()) await context.close();
});
after(async () => {
  await browser?.close();
  await source?.stop();
});

const refusedEntry = (status, code) => ({ status, body: { error: { code, message: `entry says ${code}` } } });
const hint = (page) => page.textContent('#hint');

/** Returns an unsigned token: the scripted server does not verify it. */
function token(claims) {
  const part = (value) => Buffer.from(JSON.stringify(value)).toString('base64url');
  return `${part({ alg: 'none' })}.${part(claims)}.c2ln`;
}
const inAnHour = () => Math.floor(Date.now() / 1000) + 3_600;

/** Opens the page without waiting until it has joined. */
async function visit(options = {}) {
  const page = await (await newContext(browser, { locale: 'en-US', ...options })).newPage();
  await page.goto(source.origin);
  return page;
}

async function closed(page, reason) {
  await page.waitForSelector('#state[data-state=ended]', { state: 'attached' });
  assert.match(await page.textContent('#reason'), reason);
  assert.equal(await page.getAttribute('#stage', 'data-air'), 'over');
  assert.equal(await page.textContent('#live-text'), 'OFF AIR');
  assert.equal(await page.textContent('#online-count'), '–');
  if (await page.isVisible('#composer')) {
    assert.ok(await page.isDisabled('#text'));
    assert.ok(await page.isDisabled('#send'));
    assert.ok(await page.isDisabled('[data-offer=rocket]'));
  }
}

test('a missing room ends the visit, and a check brings the viewer back', async () => {
  source.entry = refusedEntry(404, 'unknown_room');
  const page = await visit();
  await closed(page, /This room does not exist/);
  assert.equal(source.joins, 0);
  source.entry = null;
  await page.click('#look');
  await connected(page);
  assert.ok(await page.isHidden('#curtain'));
});

test('a closed room ends the visit with the reason', async () => {
  source.entry = refusedEntry(410, 'room_closed');
  await closed(await visit({ locale: 'en-US' }), /The stream has ended/);
});

test('closing the room ends the visit, and opening it brings the viewer back', async () => {
  const page = await open(browser, source);
  source.say({ type: 'signal', signal: 'close' });
  source.entry = refusedEntry(410, 'room_closed');
  source.close('room_closed', 4015);
  await closed(page, /The stream has ended/);
  source.entry = null;
  // The page checks the room when the network is back.
  await page.evaluate(() => window.dispatchEvent(new Event('online')));
  await connected(page);
  assert.equal(await page.textContent('#live-text'), 'LIVE');
  assert.ok(await page.isEnabled('#text'));
});

test('the page checks a closed room from time to time', async () => {
  const page = await (await newContext(browser, { locale: 'en-US' })).newPage();
  await page.clock.install();
  source.entry = refusedEntry(410, 'room_closed');
  await page.goto(source.origin);
  await closed(page, /The stream has ended/);
  source.entry = null;
  await page.clock.fastForward(25_000);
  await connected(page);
});

test('a kicked page shows the reason and reconnects only after the kick', async () => {
  const page = await open(browser, source);
  await page.clock.install();
  source.say({ type: 'signal', signal: 'kick', user: 'guest-1', until_ms: Date.now() + 600_000 });
  source.close('kicked', 4016);
  await closed(page, /You were removed from this room/);
  assert.match(await page.textContent('#reason-more'), /reconnects after/);
  assert.ok(await page.isHidden('#look'));
  const { joins } = source;
  await page.evaluate(() => window.dispatchEvent(new Event('online')));
  await page.clock.fastForward(300_000);
  assert.equal(source.joins, joins, 'the page stays away until then');
  await page.clock.fastForward(310_000);
  await connected(page);
});

test('a close code gives the reason without an error frame', async () => {
  const page = await open(browser, source);
  // The page replaces a guest token that is for other rooms.
  source.hangUp(4012);
  await until('it is back', async () => source.joins === 2);
  await connected(page);
  source.hangUp(4016);
  await closed(page, /You were removed from this room/);
});

test('a disconnected page shows it in all places, and the button reconnects at once', async () => {
  const page = await open(browser, source);
  await until('the count', async () => (await page.textContent('#online-count')) === '3');
  source.refusal = { code: 'overloaded', close: 4102, retry_after_ms: 60_000 };
  source.close('unavailable', 4103);
  await until('it is refused', async () => /Retry in \d\d s/.test(await page.textContent('#state-text')));
  await page.waitForSelector('#state[data-state=waiting]', { state: 'attached' });
  await page.waitForSelector('#now:not([hidden])');
  await page.waitForSelector('#state[aria-live=off]', { state: 'attached' });
  assert.equal(await page.getAttribute('#stage', 'data-air'), 'away');
  assert.equal(await page.textContent('#live-text'), 'OFFLINE');
  assert.equal(await page.textContent('#online-count'), '–');
  source.refusal = null;
  await page.click('#now');
  await connected(page);
  assert.equal(await page.getAttribute('#state', 'aria-live'), 'polite');
  assert.ok(await page.isHidden('#now'));
  assert.equal(await page.textContent('#live-text'), 'LIVE');
});

test('the hint about the network stays until the network is back', async () => {
  const page = await open(browser, source);
  await page.clock.install();
  await page.route('**/messages', (route) => route.abort());
  await send(page, 'kept');
  await until('the page gives up for now', async () => {
    await page.clock.runFor(5_000);
    return /Your text is still here/.test(await hint(page));
  });
  await page.clock.runFor(20_000);
  assert.match(await hint(page), /Your text is still here/);
  assert.equal(await page.inputValue('#text'), 'kept');
  await page.unroute('**/messages');
  await page.press('#text', 'Enter');
  await until('it is sent', async () => source.posts.some((post) => post.text === 'kept'));
  await until('the sentence is over', async () => (await hint(page)) === '');
});

test('the hint names an uplink that does not answer, and the origin of the page gets no post instead', async () => {
  source.entry = { status: 200, body: { downlinks: [], uplinks: ['http://127.0.0.1:9'], ttl_ms: 60_000, backoff_base_ms: 50, backoff_max_ms: 400 } };
  // A browser says that it is offline on a machine whose only network is its own.
  const online = () => Object.defineProperty(Navigator.prototype, 'onLine', { get: () => true });
  const page = await open(browser, source, { prepare: (made) => made.addInitScript(online) });
  await send(page, 'to nobody');
  await until('its name', async () => /127\.0\.0\.1:9 does not answer/.test(await hint(page)));
  assert.deepEqual(source.posts, []);
});

test('an unmute enables the form at once', async () => {
  const page = await open(browser, source);
  source.frame({ type: 'notice', sequence: 1, body: { type: 'signal', signal: 'mute', user: 'guest-1', until_ms: Date.now() + 60_000 } });
  await until('muted', async () => page.isDisabled('#send'));
  assert.match(await hint(page), /You are muted/);
  source.frame({ type: 'notice', sequence: 2, body: { type: 'signal', signal: 'unmute', user: 'guest-1' } });
  await until('unmuted', async () => page.isEnabled('#send'));
  assert.equal(await hint(page), '');
  assert.equal(await page.textContent('#send-text'), 'Send');
});

test('the end of the visit ends the countdown of a mute', async () => {
  const page = await open(browser, source);
  source.frame({ type: 'notice', sequence: 1, body: { type: 'signal', signal: 'mute', user: 'guest-1', until_ms: Date.now() + 60_000 } });
  await until('the countdown', async () => /^\d+ s$/.test(await page.textContent('#send-text')));
  source.entry = refusedEntry(410, 'room_closed');
  source.close('room_closed', 4015);
  await closed(page, /The stream has ended/);
  assert.equal(await page.textContent('#send-text'), 'Send');
  assert.equal(await hint(page), '');
  assert.ok(await page.isHidden('#toggle'), 'only the curtain is shown');
});

test('a repeated notice is shown once, also after a move', async () => {
  const page = await open(browser, source);
  const notice = { type: 'notice', sequence: 7, body: { text: 'your report was read' } };
  source.frame(notice);
  source.frame(notice);
  source.frame({ type: 'reconnect', after_ms: 0, deadline_ms: 5_000, message: 'moving' });
  await until('the move', async () => source.joins === 2);
  source.frame(notice);
  source.frame({ ...notice, sequence: 8, body: { text: 'the last' } });
  await until('the last', async () => (await page.textContent('#list')).includes('the last'));
  assert.equal((await page.textContent('#list')).split('your report was read').length, 2);
});

test('a text that was sent too often has to wait, another text does not', async () => {
  const page = await open(browser, source);
  source.answer = (post) =>
    post.text === 'again'
      ? { status: 429, body: { error: { code: 'rate_limited', message: '', retry_after_ms: 30_000, limit: { rule: 'moderation:repeat', scope: 'user', limit: 0 } } } }
      : { status: 200, body: { outcome: 'broadcast', sequence: 1 } };
  await send(page, 'again');
  await until('it has to wait', async () => /You have sent this text too often/.test(await hint(page)));
  assert.ok(await page.isDisabled('#send'));
  await page.fill('#text', 'something else');
  assert.ok(await page.isEnabled('#send'));
  assert.equal(await hint(page), '');
  await page.press('#text', 'Enter');
  await until('it went', async () => source.posts.at(-1).text === 'something else');
  await page.fill('#text', 'again');
  assert.ok(await page.isDisabled('#send'));
});

test('the page counts characters as a reader sees them, and shows the length of a long text', async () => {
  const page = await open(browser, source);
  const family = '👨‍👩‍👧‍👦';
  await page.fill('#text', family.repeat(200));
  await page.press('#text', 'Enter');
  await until('200 families are sent', async () => source.posts.length === 1);
  await until('the box is empty', async () => (await page.inputValue('#text')) === '');
  await page.fill('#text', 'x'.repeat(201));
  assert.equal(await page.textContent('#length'), '201/200');
  await page.press('#text', 'Enter');
  assert.match(await hint(page), /Too long: 201 characters. The limit is 200/);
  assert.equal(source.posts.length, 1);
  // The server has another limit, which its refusal names.
  source.answer = () => ({ status: 422, body: { error: { code: 'bad_text', message: '', limit: { rule: 'text_chars_max', scope: 'message', limit: 50 } } } });
  await send(page, 'y'.repeat(80));
  await until('its limit', async () => /Too long: 80 characters. The limit is 50/.test(await hint(page)));
});

test('gifts are disabled with a hint where only the payment service may send them', async () => {
  const page = await open(browser, source);
  source.answer = () => ({ status: 403, body: { error: { code: 'forbidden', message: 'your role may not post gifts' } } });
  await page.click('[data-offer=star]');
  await until('it says so', async () => (await hint(page)) === 'In this room only the payment service can send gifts.');
  assert.ok(await page.isDisabled('[data-offer=rocket]'));
  assert.equal(await page.getAttribute('[data-offer=rocket]', 'title'), 'In this room only the payment service can send gifts.');
  assert.ok(await page.isEnabled('#text'));
});

test('a sign-in remains after a reload and never stays in the address bar', async () => {
  source.user = 'ann';
  const page = await open(browser, source, { token: token({ sub: 'ann', name: 'Ann', exp: inAnHour() }) });
  assert.equal(new URL(page.url()).hash, '');
  await page.reload();
  await connected(page);
  const sent = page.waitForRequest('**/messages');
  await send(page, 'still me');
  assert.match((await sent).headers().authorization, /^Bearer eyJ/);
  // An empty token signs out.
  await page.goto('about:blank');
  await page.goto(`${source.origin}/#token=`);
  await connected(page);
  assert.equal(new URL(page.url()).hash, '');
  assert.equal(JSON.parse(await page.evaluate(() => sessionStorage.getItem('barrage.token'))).kind, 'guest');
});

test('a reload keeps the guest, and another name in the address bar makes another guest', async () => {
  const guests = [];
  const page = await open(browser, source, { query: '?name=Ann' });
  page.on('request', (request) => request.url().endsWith('/v1/guest') && guests.push(request.postDataJSON().name));
  await page.reload();
  await connected(page);
  assert.deepEqual(guests, []);
  await page.goto(`${source.origin}/?name=Bea`);
  await connected(page);
  assert.deepEqual(guests, ['Bea']);
});

test('the page forgets a sign-in that has expired or was refused', async () => {
  const page = await open(browser, source, { token: token({ sub: 'ann', exp: inAnHour() }) });
  await page.evaluate((old) => sessionStorage.setItem('barrage.token', JSON.stringify({ kind: 'token', token: old })), token({ sub: 'ann', exp: 1 }));
  await page.reload();
  await connected(page);
  assert.equal(JSON.parse(await page.evaluate(() => sessionStorage.getItem('barrage.token'))).kind, 'guest');

  const other = await open(browser, source, { token: token({ sub: 'bob', exp: inAnHour() }) });
  source.close('unauthorized', 4010);
  await closed(other, /sign-in is not valid/);
  assert.equal(await other.evaluate(() => sessionStorage.getItem('barrage.token')), null);
  await other.reload();
  await connected(other);
});

test('the past comes as soon as the server answers', async () => {
  source.sequence = 1;
  source.past = [{ sequence: 1, body: { type: 'chat', id: 'p', user: 'u2', name: 'Bo', text: 'before you came', at_ms: Date.now() } }];
  // The client itself asks again where the server names a shorter time.
  let asked = 0;
  const refuseOnce = (route) => ((asked += 1) === 1 ? route.fulfill({ status: 503, json: { error: { code: 'overloaded', message: '', retry_after_ms: 6_000 } } }) : route.continue());
  const page = await open(browser, source, { prepare: (made) => made.route('**/history*', refuseOnce) });
  await until('the past', async () => (await chats(page)).includes('before you came'));
  assert.equal(asked, 2);
  assert.deepEqual(page.faults, []);
});

test('names and texts of any direction are isolated, and roles have a label', async () => {
  const page = await open(browser, source);
  source.say({ type: 'chat', name: 'דוד', text: 'שלום עולם 123 abc', role: 'host' });
  await until('it shows', async () => (await chats(page)).includes('שלום עולם 123 abc'));
  const row = await page.$eval('#list .row.chat', (node) => ({
    name: node.querySelector('.who').tagName,
    words: node.querySelector('.words').dir,
    role: node.querySelector('.role').textContent,
  }));
  assert.deepEqual(row, { name: 'BDI', words: 'auto', role: 'Host' });
  const flying = await page.waitForSelector('#flight .danmaku', { state: 'attached' });
  assert.equal(await flying.getAttribute('dir'), 'auto');
  await page.click('#language');
  assert.equal(await page.textContent('#list .role'), '主播');
});

// The console with a scripted admin listener: sign-in, both languages, keyboard, axe-core, hostile
// names, troubles, and the dialog before each action.

import assert from 'node:assert/strict';
import { after, afterEach, before, beforeEach, test } from './suite.mjs';
import { Admin, gateway, overview, refresh, room, signIn, state, TOKEN, visit } from './admin.mjs';
import { LOOKS, violations } from './axe.mjs';
import { launch } from './browser.mjs';
import { until } from './server.mjs';

let admin;
let browser;

before(async () => {
  browser = await launch();
});
beforeEach(async () => {
  admin = await Admin.start();
});
afterEach(async () => {
  for (const context of browser.contexts()) await context.close();
  await admin.stop();
});
after(async () => {
  await browser?.close();
});

const text = (page, selector) => page.textContent(selector);

test('a wrong token is refused, and a right one stays in memory alone', async () => {
  const page = await visit(browser, admin.origin);
  assert.equal(await page.evaluate(() => document.activeElement.id), 'token');
  for (const [token, expected] of [['wrong', /not valid/], ['of-one-room', /all rooms/]]) {
    await page.fill('#token', token);
    await page.press('#token', 'Enter');
    await until('the refusal', async () => expected.test(await text(page, '#sign-in-problem')));
    assert.ok(await page.isHidden('#app'));
  }
  await page.fill('#token', TOKEN);
  await page.press('#token', 'Enter');
  await page.waitForSelector('#app:not([hidden])');
  assert.equal(await page.inputValue('#token'), '');
  const kept = await page.evaluate(() => [location.href, document.cookie, JSON.stringify(localStorage), JSON.stringify(sessionStorage), document.documentElement.outerHTML]);
  assert.ok(!kept.join().includes(TOKEN), 'no URL, storage or element has the token');
  assert.ok(admin.calls.every(({ cookie, path, query }) => !cookie && !`${path}${query}`.includes(TOKEN)));
  await page.reload();
  await page.waitForSelector('#login:not([hidden])');
  assert.deepEqual(page.faults, []);
});

test('a token that becomes invalid leads back to the sign-in', async () => {
  const page = await signIn(browser, admin.origin);
  admin.refusal = { status: 401, body: { error: { code: 'token_expired', message: 'expired' } } };
  await refresh(page);
  await page.waitForSelector('#login:not([hidden])');
  assert.ok(await page.isHidden('#app'));
});

test('the console switches between both languages', async () => {
  const page = await signIn(browser, admin.origin, TOKEN, { locale: 'zh-CN' });
  assert.equal(await text(page, '#gateways-title'), '网关');
  await page.click('#language');
  assert.equal(await text(page, '#gateways-title'), 'Gateways');
  assert.equal(await page.getAttribute('html', 'lang'), 'en');
  await until('the tables follow', async () => /ready/.test(await text(page, '#gateways tbody')));
  const shown = await page.evaluate(() => document.body.innerText);
  assert.equal(/undefined|NaN|\[object|\{\w+\}/.exec(shown), null);
  const chinese = shown.replace('中文', '').match(/[\u4e00-\u9fff]+/g);
  assert.equal(chinese, null, 'no Chinese text is left');
});

test('the first row says whether viewers are well, and the findings say why not', async () => {
  const page = await signIn(browser, admin.origin);
  assert.match(await text(page, '#verdict'), /Viewers are well$/);
  assert.equal(await text(page, '[data-tile=viewers] .figure'), '3,050');
  let refused = 0;
  admin.overview = () => {
    refused += 30;
    const bad = overview({ not_asked: [{ role: 'entry', id: 'entry', why: 'no answer within 2 s' }] });
    bad.instances[0] = gateway('gateway-1', { push_p99_ms: 1_900, overload_level: 3 }, { conservation_error: 4, state: state({ joins_refused: { full: refused }, conservation_errors: { hub: 4 } }) });
    bad.instances[2].state = state({ breakers: { redis: 'open' } });
    return bad;
  };
  await refresh(page);
  await until('the verdict', async () => /5 to act on/.test(await text(page, '#verdict')));
  const found = await page.$$eval('#findings li', (rows) => rows.map((row) => row.textContent.replaceAll(/[\u2068\u2069]/g, '')));
  for (const expected of [/4 messages are unaccounted for \(gateway-1 hub 4\)/, /breaker uplink-1 redis/, /Push p99 of gateway-1 is 1900 ms/, /gateway-1 is overloaded, level 3/, /entry entry did not answer: no answer within 2 s/]) {
    assert.ok(found.some((row) => expected.test(row)), `${expected} in ${found}`);
  }
  await refresh(page);
  await until('refused joins', async () => /^[1-9][\d.]*\/s$/.test(await text(page, '[data-tile=refused] .figure')));
  for (const tile of ['push', 'conservation', 'breakers']) assert.equal(await page.getAttribute(`[data-tile=${tile}]`, 'data-level'), 'bad');
});

test('while the server is away the figures are called stale, and the next try is named', async () => {
  const page = await signIn(browser, admin.origin);
  admin.refusal = { status: 503, body: { error: { code: 'unavailable', message: 'this process drains' } } };
  await refresh(page);
  await until('the trouble', async () => /this process drains.*Next try in \d+ s/.test(await text(page, '#trouble-text')));
  await until('the age', async () => /figures are \d+ s old/.test(await text(page, '#as-of')), 10_000);
  const calls = admin.calls.length;
  await page.click('#retry');
  await until('the retry', async () => admin.calls.length > calls);
  admin.refusal = null;
  await page.click('#retry');
  await until('it is over', async () => (await page.isHidden('#trouble')) && /as of/.test(await text(page, '#as-of')));
});

test('an empty fleet and an empty room list say what to do', async () => {
  admin.overview = () => overview({ instances: [], rooms: [] });
  const page = await signIn(browser, admin.origin);
  await until('the notes', async () => /No gateway reports/.test(await text(page, '#gateways .note')));
  assert.match(await text(page, '#rooms .note'), /No room has viewers/);
  assert.match(await text(page, '#scaling'), /kubectl get fleetautoscalers/);
  assert.match(await text(page, '#findings'), /nobody can post/);
});

test('tables sort and filter, and keep the focus while figures arrive', async () => {
  const page = await signIn(browser, admin.origin);
  const rooms = () => page.$$eval('#rooms tbody th', (cells) => cells.map((cell) => cell.textContent));
  await until('rooms', async () => (await rooms()).length === 3);
  assert.deepEqual(await rooms(), ['concert', 'demo', 'quiet']);
  await page.click('#rooms thead th:nth-child(4) .sort');
  assert.equal(await page.getAttribute('#rooms thead th:nth-child(4)', 'aria-sort'), 'descending');
  await page.click('#rooms thead th:nth-child(4) .sort');
  assert.deepEqual(await rooms(), ['quiet', 'demo', 'concert']);
  await page.fill('#rooms .filter', 'DEM');
  assert.deepEqual(await rooms(), ['demo']);
  await page.fill('#rooms .filter', 'nothing');
  assert.match(await text(page, '#rooms .table .note'), /No row matches/);
  await page.fill('#rooms .filter', '');
  await page.focus('#rooms tbody tr:nth-child(3) button');
  admin.overview = () => overview({ rooms: [room('concert', 'celebrity', 9), room('demo', 'hot', 9_000, { offered_per_s: 5_000 }), room('quiet', 'warm', 40)] });
  await refresh(page);
  await until('another order', async () => (await rooms()).at(-1) === 'demo');
  assert.match(await page.evaluate(() => document.activeElement.getAttribute('aria-label')), /Tail the room concert/);
});

test('each action asks first, names its effect, and lists its result', async () => {
  const page = await signIn(browser, admin.origin);
  await page.click('#gateways tr:nth-child(1) [aria-label="Drain gateway-1"]');
  assert.match((await text(page, '#confirm-effects')).replaceAll(/[\u2068\u2069]/g, ''), /1,200 viewers of gateway-1 move/);
  await page.keyboard.press('Escape');
  assert.ok(await page.isHidden('#confirm'));
  assert.deepEqual(admin.changes(), [], 'nothing happens before the confirmation');
  await page.click('[aria-label="Drain gateway-1"]');
  await page.fill('#confirm-field', '0');
  await page.click('#confirm-go');
  assert.deepEqual(admin.changes(), [], 'a number out of bounds is not sent');
  await page.fill('#confirm-field', '45');
  await page.click('#confirm-go');
  await until('the result', async () => /Done: .*Drain gateway-1/.test(await text(page, '#results')));
  await page.click('[aria-label="Give back viewers of gateway-2"]');
  await page.fill('#confirm-field', '25');
  await page.press('#confirm-field', 'Enter');
  await until('the second result', async () => /Give back viewers of gateway-2/.test(await text(page, '#results')));
  admin.overview = () => overview({ instances: [gateway('gateway-1', {}, { draining: true }), gateway('gateway-2'), ...overview().instances.slice(2)] });
  await refresh(page);
  await page.click('[aria-label="Cancel drain of gateway-1"]');
  await page.click('#confirm-go');
  await page.click('[aria-label="Drain gateway-2"]');
  assert.match(await text(page, '#confirm-effects .danger'), /nowhere to go/);
  await page.click('#confirm-cancel');
  await page.click('[aria-label="Change redis"]');
  await page.selectOption('#confirm-field', { label: 'forced open' });
  await page.click('#confirm-go');
  await until('all changes', async () => admin.changes().length === 4);
  assert.deepEqual(admin.changes(), [
    'POST /v1/admin/instances/gateway/gateway-1/drain {"within_secs":45}',
    'POST /v1/admin/instances/gateway/gateway-2/give-back {"share":0.25}',
    'DELETE /v1/admin/instances/gateway/gateway-1/drain ',
    'PUT /v1/admin/instances/uplink/uplink-1/switches/redis {"value":"open"}',
  ]);
});

test('the keyboard alone signs in, drains a gateway and finds a message', async () => {
  const page = await visit(browser, admin.origin);
  await page.keyboard.type(TOKEN);
  await page.keyboard.press('Enter');
  await page.waitForSelector('#app:not([hidden])');
  const label = () => page.evaluate(() => document.activeElement.getAttribute('aria-label') ?? document.activeElement.id);
  const tabTo = async (wanted) => {
    for (let presses = 0; presses < 80; presses += 1) {
      if ((await label()) === wanted) return;
      await page.keyboard.press('Tab');
    }
    assert.fail(`Tab does not reach ${wanted}`);
  };
  await tabTo('Drain gateway-2');
  await page.keyboard.press('Enter');
  await page.waitForSelector('#confirm[open]');
  await tabTo('confirm-go');
  await page.keyboard.press('Enter');
  await until('the drain', async () => admin.changes().some((change) => change.includes('gateway-2/drain')));
  await page.waitForSelector('#confirm', { state: 'hidden' });
  assert.equal(await label(), 'Drain gateway-2', 'the focus returns to the button');
  await tabTo('message-id');
  await page.keyboard.type('g-1');
  await page.keyboard.press('Enter');
  await until('the answer', async () => /No uplink remembers/.test(await text(page, '#message-result')));
});

const HOSTILE = '<img src=x onerror=window.pwned=1>';

test('markup in names, reasons and bodies is shown as text', async () => {
  admin.overview = () =>
    overview({
      instances: [gateway(HOSTILE), ...overview().instances.slice(1)],
      rooms: [room(HOSTILE, HOSTILE, 5)],
      not_asked: [{ role: 'gateway', id: HOSTILE, why: HOSTILE }],
      prewarms: [{ name: HOSTILE, start_secs: 1, duration_secs: 1, viewers: 1 }],
      switches: [{ name: HOSTILE, value: HOSTILE, values: HOSTILE, meaning: HOSTILE }],
    });
  admin.audit = [{ id: 1, at_ms: 1, room: HOSTILE, user: HOSTILE, actor: HOSTILE, action: HOSTILE, detail: { reason: HOSTILE } }];
  admin.message = {
    posts: [{ uplink: HOSTILE, post: { at_ms: 1, room: HOSTILE, user: HOSTILE, class: HOSTILE, outcome: HOSTILE, steps: [{ check: HOSTILE, word: HOSTILE, detail: HOSTILE }] }, fan_outs: [] }],
    uplinks_asked: 1, gateways_asked: 0, not_asked: [],
  };
  admin.reports = [{ id: 1, at_ms: 1, reporter: HOSTILE, user: HOSTILE, conversation: HOSTILE, reason: HOSTILE, evidence: [{ position: 1, sender: HOSTILE, at_ms: 1, kind: 'text', body: { name: HOSTILE, text: HOSTILE } }] }];
  admin.tail = [['message', { sequence: 1, at_ms: 1, class: HOSTILE, sender: HOSTILE, id: HOSTILE, body: { text: HOSTILE } }]];
  const page = await signIn(browser, admin.origin);
  await page.fill('#message-id', HOSTILE);
  await page.press('#message-id', 'Enter');
  await page.click('#rooms tbody button');
  await page.click('#letters tbody button');
  for (const selector of ['#gateways', '#report-evidence', '#rooms', '#findings', '#crowds', '#switches', '#audit', '#message-result', '#tail-list']) {
    await until(`${selector} has it`, async () => (await text(page, selector)).includes(HOSTILE));
  }
  await page.click('#gateways tbody button');
  assert.ok((await text(page, '#confirm-title')).includes(HOSTILE));
  assert.equal(await page.$$eval('main img, dialog img', (images) => images.length), 0);
  assert.equal(await page.evaluate(() => window.pwned), undefined);
  assert.deepEqual(page.faults, []);
});

for (const [name, options, rules] of [
  ['light', { colorScheme: 'light' }],
  ['dark', { colorScheme: 'dark', locale: 'zh-CN' }],
  ['phone', { colorScheme: 'light', viewport: { width: 390, height: 844 }, isMobile: true, hasTouch: true }, LOOKS],
]) {
  test(`${name}: the console breaks no rule of axe in any state`, async () => {
    admin.audit = [{ id: 1, at_ms: 1, room: null, user: null, actor: 'mei', action: 'switch', detail: { method: 'PUT', path: '/v1/admin/switches/no-likes', status: 200, body: { value: true } } }];
    admin.message = {
      posts: [{ uplink: 'u', post: { at_ms: 1, room: 'demo', user: 'ann', class: 'gift', outcome: 'held', steps: [{ check: 'a', word: 'held' }, { check: 'b', word: 'refused' }] }, fan_outs: [] }],
      uplinks_asked: 1, gateways_asked: 0, not_asked: [],
    };
    admin.tail = [['message', { sequence: 1, at_ms: 1, class: 'gift', sender: 'ann', id: 'g', body: { text: 'hi' } }], ['skipped', { count: 3 }]];
    const page = await visit(browser, admin.origin, options);
    await page.fill('#token', 'wrong');
    await page.press('#token', 'Enter');
    await page.waitForSelector('#sign-in-problem:not([hidden])');
    assert.deepEqual(await violations(page, ':root', rules), [], 'the sign-in');
    await page.fill('#token', TOKEN);
    await page.press('#token', 'Enter');
    await page.waitForSelector('#audit tbody tr');
    assert.deepEqual(await violations(page, ':root', rules), [], 'a quiet fleet');
    admin.overview = () => {
      const bad = overview({ not_asked: [{ role: 'entry', id: 'entry', why: 'no answer' }] });
      bad.instances[0] = gateway('gateway-1', { push_p99_ms: 1_900, overload_level: 3, connections: 19_000 }, { draining: true });
      bad.instances[2].state = state({ breakers: { redis: 'open', 'moderation-hook': 'half_open' } });
      bad.switches[0].value = true;
      return bad;
    };
    await refresh(page);
    await page.fill('#message-id', 'g');
    await page.press('#message-id', 'Enter');
    await page.waitForSelector('#message-result .post');
    await page.click('#rooms tbody button');
    await page.waitForSelector('#tail-list li');
    await page.waitForSelector('#findings li[data-level=bad]');
    assert.deepEqual(await violations(page, ':root', rules), [], 'a fleet in trouble');
    const width = await page.evaluate(() => [document.documentElement.scrollWidth, document.documentElement.clientWidth]);
    assert.ok(width[0] <= width[1], `the page scrolls sideways: ${width}`);
    await page.click('[aria-label*="gateway-2"]');
    await page.waitForSelector('#confirm[open]');
    assert.deepEqual(await violations(page, '#confirm', rules), [], 'the confirmation');
    await page.click('#confirm-cancel');
    admin.refusal = { status: 503, body: { error: { code: 'unavailable', message: 'away' } } };
    await refresh(page);
    await page.waitForSelector('#trouble:not([hidden])');
    assert.deepEqual(await violations(page, ':root', rules), [], 'no figures');
    assert.deepEqual(page.faults, []);
  });
}

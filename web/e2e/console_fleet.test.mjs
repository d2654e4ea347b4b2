// The console with a running fleet: a drain under load, a message's way, switches, audit, live tail.

import assert from 'node:assert/strict';
import { after, before, test } from './suite.mjs';
import { signIn } from './admin.mjs';
import { launch } from './browser.mjs';
import { pause, Server, until } from './server.mjs';
import { Viewers } from './viewers.mjs';

const VIEWERS = 40;

let server;
let browser;
let viewers;
let page;
let posting = true;
let posts;

before(async () => {
  server = await Server.start('--cluster', '--gateways', '2', '--uplinks', '1');
  browser = await launch();
  viewers = await Viewers.start(browser, server.origin, 'demo', VIEWERS);
  // In a fleet posts go to the uplink, and the console of every process shows the whole fleet.
  const { 'uplink-1': uplink } = server.members();
  server.uplink = uplink;
  const sender = await server.token('ann', 'host');
  posts = (async () => {
    for (let n = 0; posting; n += 1) {
      await post(sender, { type: 'chat', id: `c-${n}`, text: `line ${n}` });
      await pause(100);
    }
  })();
  page = await signIn(browser, uplink.admin, await server.token('mei', 'admin', '*'));
});
after(async () => {
  posting = false;
  await posts;
  await viewers?.stop();
  await browser?.close();
  await server?.stop();
});

async function post(token, body) {
  const answer = await fetch(`${server.uplink.origin}/v1/rooms/demo/messages`, {
    method: 'POST',
    headers: { 'Content-Type': 'application/json', Authorization: `Bearer ${token}` },
    body: JSON.stringify(body),
  });
  return answer.json();
}

const text = async (selector) => (await page.textContent(selector)).replaceAll(/[\u2068\u2069]/g, '');
/** Returns the cells of a gateway's row. */
const row = (gateway) => page.$$eval('#gateways tbody tr', (rows, id) => [...rows.find((one) => one.children[0].textContent === id).children].map((cell) => cell.textContent), gateway);

test('the fleet shows both gateways with their viewers, weights and rates', async () => {
  await until('all viewers', async () => (await text('[data-tile=viewers] .figure')) === String(VIEWERS));
  for (const gateway of ['gateway-1', 'gateway-2']) {
    const [, state, connections] = await row(gateway);
    assert.deepEqual([state, connections], ['ready', String(VIEWERS / 2)], gateway);
    await until('weight and deliveries', async () => /^[1-9]\d* %$/.test((await row(gateway))[4]) && /^[1-9]/.test((await row(gateway))[9]));
  }
  const others = await page.$$eval('#services tbody tr', (rows) => rows.map((one) => [...one.children].slice(0, 3).map((cell) => cell.textContent).join(' ')));
  assert.deepEqual(others, ['entry-1 entry ready', 'uplink-1 uplink ready']);
  assert.match(await text('[data-tile=conservation] .more'), /all accounted for/);
  await until('the breaker before Redis', async () => /quota.*closed/.test(await text('#breakers')));
});

test('a drain from the console moves all viewers to the other gateway, and can be cancelled', async () => {
  await page.click('[aria-label="Drain gateway-1"]');
  assert.match(await text('#confirm-effects'), new RegExp(`The ${VIEWERS / 2} viewers of gateway-1 move`));
  await page.fill('#confirm-field', '3');
  await page.click('#confirm-go');
  await until('the result', async () => /Done: Drain gateway-1/.test(await text('#results')));
  await until('it drains', async () => (await row('gateway-1'))[1] === 'draining');
  await until('the viewers are at the other gateway', async () => (await viewers.state()).at['gateway-2'] === VIEWERS, 20_000);
  await until('the console shows it', async () => (await row('gateway-1'))[2] === '0' && (await row('gateway-2'))[2] === String(VIEWERS));
  const { moves, messagesMin } = await viewers.state();
  assert.equal(moves, VIEWERS / 2, 'each viewer moved once');
  await until('every viewer gets further messages', async () => (await viewers.state()).messagesMin > messagesMin + 3);
  await page.click('[aria-label="Cancel drain of gateway-1"]');
  await page.click('#confirm-go');
  await until('it admits viewers again', async () => (await row('gateway-1'))[1] === 'ready');
});

test('the way of a gift is found by its id', async () => {
  const answer = await post(await server.token('bob', 'host'), { type: 'gift', id: 'g-console', gift: { name: 'Rocket', count: 2 } });
  assert.equal(answer.outcome, 'broadcast', JSON.stringify(answer));
  await until('its batch', async () => {
    await page.fill('#message-id', 'g-console');
    await page.press('#message-id', 'Enter');
    await page.waitForSelector('#message-result .outcome');
    // The gateways list a batch before their shards have written it to the viewers.
    return (await page.$$eval('#message-result .fan-outs li', (rows) => rows.map((row) => row.textContent))).some((row) => row.includes(`of ${VIEWERS} viewers`));
  });
  const shown = await text('#message-result');
  assert.match(shown, /gift by bob in demo.*at uplink-1/);
  assert.match(shown, new RegExp(`Outcome: broadcast, position ${answer.sequence}`));
  assert.match(shown, new RegExp(`gateway-2: at [\\d:]+ in a batch of \\d+; of ${VIEWERS} viewers`));
});

test('a switch is set by name, and the audit log names who did what', async () => {
  await page.click('[aria-label="Change no-likes"]');
  await page.click('#confirm-go');
  const set = () => page.$$eval('#switches tbody tr', (rows) => rows[0].children[1].textContent);
  await until('it is on, with its setter', async () => /^onmei, /.test(await set()));
  assert.match(await text('#findings'), /The switch no-likes is true/);
  const lines = () => page.$$eval('#audit tbody tr', (rows) => rows.map((one) => [...one.children].slice(1, 3).map((cell) => cell.textContent).join(' ')));
  const filter = async (actor, action) => {
    await page.fill('#audit-actor', actor);
    await page.fill('#audit-action', action);
    await page.press('#audit-action', 'Enter');
  };
  await until('drains', async () => {
    await filter('mei', 'drain');
    await pause(200);
    return (await lines()).join() === 'mei drain,mei drain';
  });
  assert.match(await text('#audit tbody'), /DELETE \/v1\/admin\/drain → 200.*POST \/v1\/admin\/drain → 200 \{"within_secs":3\}/);
  await filter('nobody', 'drain');
  await until('no line', async () => /No line matches/.test(await text('#audit .note')));
});

test('the live tail shows the messages of a room', async () => {
  await page.fill('#tail-room', 'demo');
  await page.press('#tail-room', 'Enter');
  await post(await server.token('cy', 'host'), { type: 'chat', id: 'tail-1', text: 'seen in the tail' });
  await until('the message', async () => /chatcyseen in the tail/.test(await text('#tail-list')));
  await page.click('#tail-stop');
  await until('the end', async () => /The tail has ended/.test(await text('#tail-status')));
  assert.deepEqual(page.faults, []);
});

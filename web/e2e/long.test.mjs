// Many messages for long: heap, nodes and listeners of the page stay flat. Half a minute by hand, and
// ten minutes in the full tier, which sets LONG_SECS.

import assert from 'node:assert/strict';
import { test } from './suite.mjs';
import { MOVING, open } from './browser.mjs';
import { rig } from './rig.mjs';
import { pause, until } from './server.mjs';
import { birthday, Source } from './source.mjs';

const PER_SECOND = 50;
const SECS = Number(process.env.LONG_SECS ?? 30);
/** The list and the stage are full, and the code is compiled. */
const WARM_MS = 15_000;
/** The same page with other messages on the stage differs by this much. */
const NODES_SPREAD = 500;
const HEAP_SPREAD_BYTES = 3_000_000;
const LISTENERS_SPREAD = 60;

const site = rig(() => Source.start());

/** Returns what the page holds, behind a collection of its garbage. */
async function held(session) {
  for (let n = 0; n < 2; n += 1) await session.send('HeapProfiler.collectGarbage');
  const { metrics } = await session.send('Performance.getMetrics');
  const of = (name) => metrics.find((one) => one.name === name).value;
  return { heapBytes: of('JSHeapUsedSize'), nodes: of('Nodes'), listeners: of('JSEventListeners') };
}

/** Messages of every kind, at the rate of danmaku with some of the others between. */
function everything() {
  const chat = birthday();
  let n = 0;
  return () => {
    n += 1;
    const user = `u${n % 700}`;
    const from = { user, name: `观众${user}`, attrs: { badges: ['member/3', 'vip'], level: n % 60 } };
    if (n % 40 === 0) return { type: 'gift', ...from, gift: { name: n % 80 ? 'Rocket' : '花', count: 1, price_minor: 100 } };
    if (n % 150 === 0) return { type: 'super_chat', ...from, text: 'a super chat', amount_minor: 100 * (n % 700), currency: 'CNY' };
    if (n % 90 === 0) return { type: 'signal', signal: 'recall', sequence: site.server.sequence - 20 };
    if (n % 400 === 0) return { type: 'signal', signal: 'purge', user: `u${(n - 13) % 700}` };
    if (n % 7 === 0) return { ...chat(), ...from, reply_to: { sequence: site.server.sequence - 3, user: 'u1', name: 'Bo' }, mentions: ['u1'] };
    return { ...chat(), ...from };
  };
}

test(`${SECS} s at ${PER_SECOND} messages a second leave heap, nodes and listeners as they were`, async (t) => {
  const page = await open(site.browser, site.server, { ...MOVING, viewport: { width: 1280, height: 720 } });
  const session = await page.context().newCDPSession(page);
  await session.send('Performance.enable');
  await session.send('HeapProfiler.enable');
  const stop = site.server.chat(PER_SECOND, everything());
  await pause(WARM_MS);
  const first = await held(session);
  t.diagnostic(`after ${WARM_MS / 1000} s: ${JSON.stringify(first)}`);
  const rounds = Math.max(3, Math.round(SECS / 60));
  const rest = [];
  for (let round = 0; round < rounds; round += 1) {
    await pause((SECS * 1000) / rounds);
    // The reader goes up and comes back, and opens a menu.
    await page.$eval('#list', (list) => list.scrollTo(0, 0));
    await page.waitForSelector('#newer:not([hidden])');
    await page.click('#newer');
    const now = await held(session);
    rest.push(now);
    t.diagnostic(`round ${round + 1}: ${JSON.stringify(now)}, ${await page.$eval('#list', (list) => list.childElementCount)} rows`);
    assert.ok((await page.$eval('#list', (list) => list.childElementCount)) <= 400);
  }
  stop();
  // The least of the last rounds: what a moment holds comes and goes, and a leak stays.
  const least = (name) => Math.min(...rest.slice(-3).map((one) => one[name]));
  assert.ok(least('nodes') <= first.nodes + NODES_SPREAD, `${least('nodes')} nodes, before ${first.nodes}`);
  assert.ok(least('listeners') <= first.listeners + LISTENERS_SPREAD, `${least('listeners')} listeners, before ${first.listeners}`);
  assert.ok(least('heapBytes') <= first.heapBytes + HEAP_SPREAD_BYTES, `${least('heapBytes')} bytes, before ${first.heapBytes}`);
  assert.ok(site.server.sequence >= SECS * PER_SECOND * 0.8, `${site.server.sequence} messages`);
  await until('the page still shows what comes', async () => {
    site.server.say({ type: 'chat', text: 'the end' });
    return (await page.textContent('#list')).includes('the end');
  });
  assert.deepEqual(page.faults, []);
});

// Writes docs/screenshot.png from a server that plays the demo recording, and docs/console.png and
// docs/console-dark.png from a fleet with viewers and that recording.

import { fileURLToPath } from 'node:url';
import { signIn } from './admin.mjs';
import { launch, MOVING, open, send } from './browser.mjs';
import { pause, Server, until } from './server.mjs';
import { Viewers } from './viewers.mjs';

const FLYING_MIN = 12;
const SETTLE_MS = 3_500;
/** Time in which the lines of the console get long enough to be seen. */
const FIGURES_MS = 45_000;
const VIEWERS = 200;

function docs(name) {
  return fileURLToPath(new URL(`../../docs/${name}`, import.meta.url));
}

async function viewerPage(browser) {
  const server = await Server.start('--demo');
  try {
    const page = await open(browser, server, { ...MOVING, locale: 'zh-CN', colorScheme: 'dark', query: '?name=观众581' });
    const flying = () => page.$$eval('#flight .danmaku', (found) => found.length);
    await until(`${FLYING_MIN} danmaku fly`, async () => (await flying()) >= FLYING_MIN, 60_000).catch(() => undefined);
    for (let click = 0; click < 3; click += 1) await page.click('#like');
    await page.click('[data-offer=rocket]');
    await send(page, '晚上好，第一次来！');
    await page.evaluate(() => document.activeElement?.blur());
    await page.mouse.move(0, 0);
    await pause(SETTLE_MS);
    await page.screenshot({ path: docs('screenshot.png') });
    console.log(`screenshot.png: ${await flying()} danmaku in flight`);
  } finally {
    await server.stop();
  }
}

async function consolePage(browser) {
  const server = await Server.start('--cluster', '--gateways', '3', '--uplinks', '2', '--demo', '--autoscale');
  const viewers = [];
  try {
    const admin = await server.token('mei', 'admin', '*');
    const { 'uplink-1': uplink, entry } = server.members();
    const call = async (base, method, path, body) => {
      const answer = await fetch(`${base}${path}`, { method, headers: { 'Content-Type': 'application/json', Authorization: `Bearer ${admin}` }, body: JSON.stringify(body) });
      if (!answer.ok) throw new Error(`${path}: ${answer.status} ${await answer.text()}`);
    };
    for (const [room, title] of [['concert', 'Concert'], ['esports', 'Finals'], ['cooking', 'Cooking']]) await call(uplink.admin, 'PUT', `/v1/admin/rooms/${room}`, { title });
    for (const [room, share] of [['demo', 0.6], ['concert', 0.25], ['esports', 0.15]]) viewers.push(await Viewers.start(browser, server.origin, room, Math.round(VIEWERS * share)));
    const at = new Date(Date.now() + 3_600_000).toISOString().replace(/\.\d+/, '');
    await call(entry.admin, 'POST', '/v1/admin/prewarm', { at, room: 'concert', viewers: 300_000, lasts_secs: 7_200 });
    await call(uplink.admin, 'PUT', '/v1/admin/switches/no-entries', { value: true });
    for (const [name, options] of [['console.png', { colorScheme: 'light', locale: 'en-US' }], ['console-dark.png', { colorScheme: 'dark', locale: 'zh-CN' }]]) {
      const page = await signIn(browser, uplink.admin, admin, { viewport: { width: 1400, height: 1050 }, ...options });
      await pause(FIGURES_MS);
      await page.evaluate(() => {
        document.activeElement?.blur();
        scrollTo(0, 0);
      });
      await page.mouse.move(0, 0);
      await page.screenshot({ path: docs(name) });
      console.log(`${name}: ${await page.textContent('#verdict')}`);
      await page.context().close();
    }
  } finally {
    for (const group of viewers) await group.stop();
    await server.stop();
  }
}

const wanted = process.argv.slice(2);
const browser = await launch();
try {
  if (wanted.length === 0 || wanted.includes('page')) await viewerPage(browser);
  if (wanted.length === 0 || wanted.includes('console')) await consolePage(browser);
} finally {
  await browser.close();
}

// Writes docs/screenshot.png from a server that plays the demo recording.

import { fileURLToPath } from 'node:url';
import { launch, open, send } from './browser.mjs';
import { pause, Server, until } from './server.mjs';

const FLYING_MIN = 12;
const SETTLE_MS = 3_500;

const path = process.argv[2] ?? fileURLToPath(new URL('../../docs/screenshot.png', import.meta.url));
const server = await Server.start('--demo');
const browser = await launch();
try {
  const page = await open(browser, server, { locale: 'zh-CN', query: '?name=观众581' });
  const flying = () => page.$$eval('#flight .danmaku', (found) => found.length);
  await until(`${FLYING_MIN} danmaku fly`, async () => (await flying()) >= FLYING_MIN, 60_000).catch(() => undefined);
  for (let click = 0; click < 3; click += 1) await page.click('#like');
  await page.click('[data-offer=rocket]');
  await send(page, '晚上好，第一次来！');
  await page.evaluate(() => document.activeElement?.blur());
  await page.mouse.move(0, 0);
  await pause(SETTLE_MS);
  await page.screenshot({ path });
  console.log(`${path}: ${await flying()} danmaku in flight`);
} finally {
  await browser.close();
  await server.stop();
}

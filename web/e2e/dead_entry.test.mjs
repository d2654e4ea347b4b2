// The page in a real browser while its entry is replaced by a captive portal: it connects by the answer
// that it stored before, and by another entry of its meta tag.

import assert from 'node:assert/strict';
import { after, before, test } from './suite.mjs';
import { connected, launch, newContext, open } from './browser.mjs';
import { until } from './server.mjs';
import { Source } from './source.mjs';

let browser;
let site;
let gateway;

before(async () => {
  [site, gateway, browser] = await Promise.all([Source.start(), Source.start(), launch()]);
});
after(async () => {
  await browser?.close();
  await Promise.all([site?.stop(), gateway?.stop()]);
});

const answer = () => ({
  downlinks: [{ transport: 'ws', url: `${gateway.origin.replace('http', 'ws')}/v1/rooms/demo/ws`, gateway: 'g' }],
  uplinks: [gateway.origin],
  ttl_ms: 60_000,
  backoff_base_ms: 50,
  backoff_max_ms: 400,
});
const portal = (route) => route.fulfill({ status: 200, contentType: 'text/html', body: '<!doctype html><title>Log in</title>' });

test('a page whose entry became a captive portal connects by the stored answer', async () => {
  site.entry = { status: 200, body: answer() };
  const page = await open(browser, site);
  await connected(page);
  assert.equal(gateway.joins, 1);
  await page.route('**/v1/entry?**', portal);
  await page.reload();
  await connected(page);
  await until('the gateway of the stored answer is joined', async () => gateway.joins === 2);
  assert.equal(site.joins, 0, 'the origin of the page is the last way');
  await page.evaluate(() => localStorage.clear());
  await page.reload();
  await connected(page);
  assert.equal(site.joins, 1);
  await page.close();
});

test('a page asks the entries of its meta tag when its own origin is no entry', async () => {
  const joins = gateway.joins;
  const page = await (await newContext(browser)).newPage();
  await page.route(`${site.origin}/v1/entry?**`, portal);
  await page.route('http://entry.example/v1/entry?**', (route) =>
    route.fulfill({ json: answer(), headers: { 'access-control-allow-origin': '*' } }),
  );
  await page.addInitScript(() => {
    new MutationObserver((_, observer) => {
      if (!document.head) return;
      observer.disconnect();
      document.head.append(Object.assign(document.createElement('meta'), { name: 'barrage-entry', content: 'http://entry.example' }));
    }).observe(document, { childList: true, subtree: true });
  });
  await page.goto(`${site.origin}/`);
  await connected(page);
  assert.equal(gateway.joins, joins + 1);
  await page.close();
});

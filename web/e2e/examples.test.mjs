// The example apps for React and Vue, built and driven: they speak to each other over a server of another
// origin, follow a recall, and leave the room with their component.

import assert from 'node:assert/strict';
import { readFile, mkdtemp, rm } from 'node:fs/promises';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import { extname, join } from 'node:path';
import { after, before, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { build } from 'vite';
import { launch, newContext } from './browser.mjs';
import { Server, until } from './server.mjs';

const NAMES = ['react', 'vue'];
const TYPES = { '.html': 'text/html', '.js': 'text/javascript' };

let out;
let site;
let server;
let browser;

before(async () => {
  out = await mkdtemp(join(tmpdir(), 'barrage-examples-'));
  for (const name of NAMES) {
    const root = fileURLToPath(new URL(`../examples/${name}`, import.meta.url));
    await build({ configFile: false, root, base: './', logLevel: 'warn', build: { outDir: join(out, name), emptyOutDir: true } });
  }
  site = createServer(async (request, response) => {
    const path = new URL(request.url, 'http://site').pathname.replace(/\/$/, '/index.html');
    const data = await readFile(join(out, path)).catch(() => null);
    response.writeHead(data ? 200 : 404, { 'Content-Type': TYPES[extname(path)] ?? 'text/plain' });
    response.end(data);
  });
  await new Promise((resolve) => site.listen(0, '127.0.0.1', resolve));
  const origin = `http://127.0.0.1:${site.address().port}`;
  [server, browser] = await Promise.all([Server.startWith({ HTTP__ALLOWED_ORIGINS: JSON.stringify([origin]) }), launch()]);
  site.origin = origin;
});
after(async () => {
  await browser?.close();
  await server?.stop();
  site?.close();
  if (out) await rm(out, { recursive: true, force: true });
});

const rows = (page) => page.$$eval('li', (items) => items.map((item) => item.textContent));
const shows = (page, row) => until(row, async () => (await rows(page)).includes(row));

test('the examples for React and Vue speak to each other, and follow a recall', async () => {
  const pages = {};
  for (const name of NAMES) {
    const page = await (await newContext(browser)).newPage();
    page.faults = [];
    page.on('pageerror', (error) => page.faults.push(error.message));
    await page.goto(`${site.origin}/${name}/?entry=${server.origin}`);
    await page.waitForFunction(() => document.querySelector('#state')?.textContent.startsWith('open'));
    pages[name] = page;
  }
  for (const [name, guest] of [['react', 'Rea'], ['vue', 'Vee']]) {
    await pages[name].fill('input', `hello from ${name}`);
    await pages[name].press('input', 'Enter');
    for (const page of Object.values(pages)) await shows(page, `${guest}: hello from ${name}`);
  }
  const token = await server.token('mod', 'host');
  const sent = await server.post(token, { type: 'chat', id: 'm-1', text: '<b>soon gone</b>' });
  for (const page of Object.values(pages)) await shows(page, 'mod: <b>soon gone</b>');
  await server.post(token, { id: 'a-1', action: { type: 'recall', sequence: sent.sequence } }, 'demo', 'actions');
  for (const page of Object.values(pages)) {
    await until('the message is gone', async () => (await rows(page)).length === 2);
    assert.deepEqual(page.faults, []);
  }
});

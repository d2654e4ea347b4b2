// The SDK where people use it, on a real server of another origin: the example apps for React and Vue, built
// and driven; a worker with the script tag's file; and a program in Node.js.

import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { readFile, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import { dirname, extname, join } from 'node:path';
import { after, before, test } from './suite.mjs';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { build } from 'vite';
import { launch, newContext } from './browser.mjs';
import { Server, until } from './server.mjs';

const NAMES = ['react', 'vue'];
const DIST = join(dirname(dirname(fileURLToPath(import.meta.url))), 'dist');
const TYPES = { '.html': 'text/html', '.js': 'text/javascript', '.mjs': 'text/javascript' };

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
    const file = path.startsWith('/sdk/') ? join(DIST, path) : join(out, path);
    const data = await readFile(file).catch(() => null);
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

test('a worker joins with the file of the script tag', async () => {
  const page = await (await newContext(browser)).newPage();
  await page.goto(`${site.origin}/react/?entry=${server.origin}`);
  const heard = await page.evaluate(async (origin) => {
    const program = `
      importScripts('${location.origin}/sdk/barrage.js');
      const room = Barrage.join({ entry: '${origin}', room: 'demo', guest: { name: 'Worker' } });
      room.on('hello', async () => {
        const sent = await room.send({ type: 'chat', text: 'from a worker' });
        const { messages, refusal } = await room.history({ limit: 5 });
        room.close();
        postMessage([sent.kind, room.state.kind, refusal === null && messages.length > 0]);
      });`;
    const worker = new Worker(URL.createObjectURL(new Blob([program], { type: 'text/javascript' })));
    return new Promise((resolve, reject) => {
      worker.onmessage = ({ data }) => resolve(data);
      worker.onerror = ({ message }) => reject(new Error(message));
    });
  }, server.origin);
  assert.deepEqual(heard, ['broadcast', 'ended', true]);
  await page.context().close();
});

test('a program in Node.js without a WebSocket hears and sends by the event stream', async () => {
  const program = `
    import { join } from '${new URL('../packages/client/src/index.ts', import.meta.url).pathname}';
    const room = join({ entry: '${server.origin}', room: 'demo', WebSocket: null, token: () => '${await server.token('bot', 'moderator')}' });
    const sent = new Promise((resolve) => room.on('hello', () => resolve(room.send({ type: 'chat', text: 'from a program' }))));
    for await (const { messages } of room) {
      const own = messages.find(({ body }) => body.type === 'chat' && body.user === room.user);
      if (!own) continue;
      console.log((await sent).kind, room.state.transport, room.role, own.body.text);
      room.close();
    }`;
  const entry = join(out, 'program.mjs');
  await writeFile(entry, program);
  // Node.js 20 reads no TypeScript: the program is built as its users would.
  const output = { entryFileNames: 'program.mjs' };
  const bundle = { ssr: entry, outDir: join(out, 'node'), emptyOutDir: true, rolldownOptions: { output } };
  await build({ configFile: false, root: out, logLevel: 'warn', build: bundle, ssr: { noExternal: true } });
  const { stdout } = await promisify(execFile)('node', [join(out, 'node/program.mjs')], { timeout: 30_000 });
  assert.equal(stdout.trim(), 'broadcast sse moderator from a program');
});

test('a page and programs are in step with an inbox, with a room and without', async () => {
  const program = (options, shown) => `
    import { connectInbox, MemoryStore, openInbox } from '${new URL('../packages/client/src/letters.ts', import.meta.url).pathname}';
    const connection = connectInbox({ entry: '${server.origin}', ${options} });
    const inbox = openInbox(connection, { store: async () => new MemoryStore() });
    inbox.on('change', async () => {
      const [row] = inbox.conversations;
      if (!row || inbox.unread < 2) return;
      const texts = (await inbox.items(row.conversation)).map(({ body }) => body.text);
      connection.close();
      (${shown})([connection.state.kind, inbox.user, texts.join()].join(' '));
    });
    let said = false;
    connection.on('state', ({ kind, transport }) => {
      if (kind !== 'open' || said) return;
      said = true;
      (${shown})(transport);
    });`;
  const write = async (text) => {
    const headers = { Authorization: `Bearer ${await server.token('ann', 'admin')}`, 'Content-Type': 'application/json' };
    const sent = await fetch(`${server.origin}/v1/users/zoe/messages`, { method: 'POST', headers, body: JSON.stringify({ type: 'text', id: text, text }) });
    assert.equal(sent.status, 200, await sent.text());
  };
  const token = `token: () => '${await server.token('zoe', 'viewer')}'`;
  // A page, over a WebSocket.
  await writeFile(join(out, 'inbox.mjs'), program(token, "(text) => document.body.append(Object.assign(document.createElement('li'), { textContent: text }))"));
  const page = { entry: join(out, 'inbox.mjs'), formats: ['es'], fileName: () => 'inbox.js' };
  await build({ configFile: false, root: out, logLevel: 'warn', build: { lib: page, outDir: join(out, 'inbox'), emptyOutDir: true } });
  await writeFile(join(out, 'inbox/index.html'), '<body><script type="module" src="inbox.js"></script>');
  const shown = await (await newContext(browser)).newPage();
  await shown.goto(`${site.origin}/inbox/`);
  await shows(shown, 'ws');
  // A program in Node.js, over an event stream.
  await writeFile(join(out, 'inbox_node.mjs'), program(`${token}, WebSocket: null`, '(text) => console.log(text)'));
  const bundle = { ssr: join(out, 'inbox_node.mjs'), outDir: join(out, 'inbox_node'), emptyOutDir: true, rolldownOptions: { output: { entryFileNames: 'program.mjs' } } };
  await build({ configFile: false, root: out, logLevel: 'warn', build: bundle, ssr: { noExternal: true } });
  const running = execFile('node', [join(out, 'inbox_node/program.mjs')], { timeout: 60_000 });
  let heard = '';
  running.stdout.on('data', (some) => (heard += some));
  await until('the event stream', () => heard.startsWith('sse'));
  // A program in a room, over its event stream, which begins again to get bells.
  const inRoom = `
    import { join } from '${new URL('../packages/client/src/index.ts', import.meta.url).pathname}';
    import { MemoryStore, openInbox } from '${new URL('../packages/client/src/letters.ts', import.meta.url).pathname}';
    const streams = [];
    const counted = (url, init) => {
      const { pathname, searchParams } = new URL(url);
      if (pathname.endsWith('/sse')) streams.push(searchParams.get('inbox'));
      return fetch(url, init);
    };
    const room = join({ entry: '${server.origin}', room: 'demo', ${token}, WebSocket: null, fetch: counted });
    const inbox = openInbox(room, { store: async () => new MemoryStore() });
    let bells = 0;
    room.on('mail', ({ type }) => (type === 'bell' ? (bells += 1) : console.log(type)));
    inbox.on('change', () => {
      if (inbox.unread < 2) return;
      console.log(bells > 0, streams.join());
      inbox.close();
      room.close();
    });`;
  await writeFile(join(out, 'inbox_room.mjs'), inRoom);
  const inRoomBundle = { ...bundle, ssr: join(out, 'inbox_room.mjs'), outDir: join(out, 'inbox_room') };
  await build({ configFile: false, root: out, logLevel: 'warn', build: inRoomBundle, ssr: { noExternal: true } });
  const inRoomRunning = execFile('node', [join(out, 'inbox_room/program.mjs')], { timeout: 60_000 });
  let heardInRoom = '';
  inRoomRunning.stdout.on('data', (some) => (heardInRoom += some));
  await until('the stream with bells', () => heardInRoom === 'attached\n');
  await write('one');
  await write('two');
  await shows(shown, 'ended zoe one,two');
  await until('the program', () => heard === 'sse\nended zoe one,two\n');
  await until('the program in a room', () => heardInRoom === 'attached\ntrue ,true\n');
  await shown.context().close();
});

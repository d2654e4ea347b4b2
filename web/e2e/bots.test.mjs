// The bots of docs/guide/bots.md answer in a room of a real server: by webhooks and by IRC. The test of the Rust
// client runs its example, so here the page only has to show the same lines.

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { after, before, test } from './suite.mjs';
import { fileURLToPath } from 'node:url';
import { Server, until } from './server.mjs';

const LINES_MAX = 30;
const SECRET = 'whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw';
const ROOT = dirname(dirname(dirname(fileURLToPath(import.meta.url))));
const root = (path) => join(ROOT, path);
const page = await readFile(root('docs/guide/bots.md'), 'utf8');

let folder;
let server;
let ports;
let bot;
const programs = [];

/** Returns the program of the page whose block opens with these words. */
function program(info) {
  const [, text] = new RegExp(`\`\`\`${info}\\n(.*?)\`\`\``, 's').exec(page) ?? assert.fail(`no block ${info}`);
  assert.ok(text.split('\n').length - 1 <= LINES_MAX, `${info} has more than ${LINES_MAX} lines`);
  return text;
}

async function freePort() {
  const probe = createServer();
  await new Promise((resolve) => probe.listen(0, '127.0.0.1', resolve));
  const { port } = probe.address();
  await new Promise((resolve) => probe.close(resolve));
  return port;
}

/** Runs a program of the page. Its errors are in the message of a test that fails. */
async function run(command, name, text, words, environment) {
  await writeFile(join(folder, name), text);
  const child = spawn(command, [name, ...words], { cwd: folder, env: { ...process.env, ...environment }, stdio: ['ignore', 'ignore', 'pipe'] });
  const running = { child, errors: '', exited: new Promise((resolve) => child.once('close', resolve)) };
  child.stderr.on('data', (chunk) => (running.errors += chunk));
  programs.push(running);
  return running;
}

/** Returns the newest messages of the room. */
async function history() {
  const answer = await fetch(`${server.origin}/v1/rooms/demo/history?limit=100`);
  return (await answer.json()).messages.map(({ body }) => body);
}

/** Returns the texts of the room with the users who wrote them. */
async function said() {
  return (await history()).map(({ user, text }) => `${user}: ${text}`);
}

/** Asks with new messages until the bot answers, because it joins when it is ready. */
async function answers(user, running) {
  const token = await server.token(user);
  let asked = 0;
  await until(`an answer to ${user}`, async () => {
    if (running.child.exitCode !== null) throw new Error(`the bot has ended: ${running.errors}`);
    asked += 1;
    await server.post(token, { type: 'chat', id: `${user}-${asked}`, text: `!ping ${asked}` });
    return (await said()).includes(`helper: pong, ${user}`);
  });
}

before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'barrage-bots-'));
  await writeFile(join(folder, 'secret'), SECRET);
  ports = [await freePort(), await freePort()];
  const config = `[irc]\nlisten = ["127.0.0.1:${ports[0]}"]\n[webhooks]\nallow_networks = ["127.0.0.0/8"]\npoll_interval_ms = 50\nretry_secs = [0, 1, 1, 1]\n
[[webhooks.endpoints]]\nname = "bot"\nurl = "http://127.0.0.1:${ports[1]}/"\nsecret_file = "secret"\nevents = ["message.*"]\n`;
  await writeFile(join(folder, 'bots.toml'), config);
  await symlink(root('web/node_modules'), join(folder, 'node_modules'));
  server = await Server.start('--config', join(folder, 'bots.toml'));
  bot = await server.token('helper', 'moderator', 'demo', ['--attrs', '{"badges": ["bot"]}']);
});
after(async () => {
  for (const { child, exited } of programs) {
    child.kill('SIGKILL');
    await exited;
  }
  await server?.stop();
  await rm(folder, { recursive: true, force: true });
});

test('the bot with webhooks answers, and refuses a request that Barrage did not sign', async () => {
  const words = [String(ports[1]), server.origin, bot];
  const running = await run('node', 'bot.mjs', program('js webhooks'), words, { WEBHOOK_SECRET: SECRET });
  await answers('bo', running);
  const headers = { 'webhook-id': 'x', 'webhook-timestamp': '1', 'webhook-signature': 'v1,AA' };
  const forged = await fetch(`http://127.0.0.1:${ports[1]}/`, { method: 'POST', headers, body: '{}' });
  assert.equal(forged.status, 400);
  const answered = (await history()).filter(({ user }) => user === 'helper');
  assert.ok(answered.every(({ attrs }) => attrs.badges.includes('bot')));
  running.child.kill('SIGKILL');
  await running.exited;
});

test('the bot over IRC answers and deletes', async () => {
  const words = ['127.0.0.1', String(ports[0]), 'demo', bot];
  const running = await run('python3', 'bot.py', program('python irc'), words, { PYTHONPATH: root('target/tools/irc') });
  await answers('ann', running);
  const spam = await server.post(await server.token('spammer'), { type: 'chat', id: 's1', text: 'buy followers here' });
  assert.equal(spam.status, 200);
  await until('the advertising is deleted', async () => !(await said()).includes('spammer: buy followers here'));
});

test('the page shows the bot of the Rust client as the example is', async () => {
  const example = await readFile(root('services/client/examples/bot.rs'), 'utf8');
  assert.ok(example.includes(program('rust bot')));
});

// Starts, kills and restarts a real server process with free ports and its own data directory.

import { execFile, spawn } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

const READY_MS = 60_000;
const STOP_MS = 15_000;
/** Last line of the banner of a fleet, printed when it is ready. */
const UP = 'stop      Ctrl-C';
const LOG_CHARACTERS_MAX = 20_000;

export function binary() {
  const path = process.env.BARRAGE_BIN;
  if (!path) throw new Error('BARRAGE_BIN must name the server binary');
  return path;
}

/** Settings of every server: high limits, because tests post faster than people, and no chat is dropped because the machine compiles beside. */
const SETTINGS = { UPLINK__LIMITS__ADDRESS_PER_S: '1000000', UPLINK__LIMITS__USER_PER_S: '1000000', GATEWAY__OVERLOAD__LAG_MS_MAX: '60000' };

/** Returns the environment of the server, without the caller's BARRAGE_* variables, which are configuration. */
function environment(settings = {}) {
  const others = Object.entries(process.env).filter(([name]) => !name.startsWith('BARRAGE_'));
  // `cargo xtask test` installs a nats-server there when the machine has none.
  const path = `${fileURLToPath(new URL('../../target/tools/nats/bin', import.meta.url))}:${process.env.PATH}`;
  const all = Object.entries({ ...SETTINGS, ...settings }).map(([name, value]) => [`BARRAGE_${name}`, value]);
  return Object.fromEntries([...others, ['PATH', path], ...all]);
}

export function pause(ms) {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

/** Waits until the condition holds. The error names the condition and the last failure. */
export async function until(what, holds, withinMs = Number(process.env.PATIENCE_MS ?? 60_000)) {
  const end = performance.now() + withinMs;
  let last = '';
  while (performance.now() < end) {
    try {
      const value = await holds();
      if (value) return value;
    } catch (error) {
      last = ` (${error.message})`;
    }
    await pause(50);
  }
  throw new Error(`not within ${withinMs} ms: ${what}${last}`);
}

/** Returns two free ports. */
export async function freePorts() {
  const servers = [createServer(), createServer()];
  const ports = await Promise.all(
    servers.map((server) => new Promise((resolve) => server.listen(0, '127.0.0.1', () => resolve(server.address().port)))),
  );
  await Promise.all(servers.map((server) => new Promise((resolve) => server.close(resolve))));
  return ports;
}

export class Server {
  static async start(...extra) {
    return Server.startWith({}, ...extra);
  }

  /** Starts a server with settings by environment variables, named without the prefix `BARRAGE_`. */
  static async startWith(settings, ...extra) {
    const [port, adminPort] = await freePorts();
    const server = new Server();
    server.tokens = new Map();
    server.settings = settings;
    server.dataDir = await mkdtemp(join(tmpdir(), 'barrage-e2e-'));
    server.origin = `http://127.0.0.1:${port}`;
    server.admin = `http://127.0.0.1:${adminPort}`;
    server.args = ['up', '--listen', `127.0.0.1:${port}`, '--admin-listen', `127.0.0.1:${adminPort}`, '--data-dir', server.dataDir, ...extra];
    await server.run();
    return server;
  }

  /** Starts the process on the same ports and data. */
  async run() {
    this.log = '';
    const child = spawn(binary(), this.args, { cwd: this.dataDir, env: environment(this.settings), stdio: ['ignore', 'pipe', 'pipe'] });
    this.child = child;
    const keep = (chunk) => {
      this.log = (this.log + chunk).slice(-LOG_CHARACTERS_MAX);
    };
    child.stdout.on('data', keep);
    child.stderr.on('data', keep);
    this.exited = new Promise((resolve) => child.once('close', (code, signal) => resolve(code ?? signal)));
    try {
      await until('the server is ready', async () => {
        if (child.exitCode !== null) return true;
        // A fleet prints when it is ready; its first uplink is ready before.
        return this.args.includes('--cluster') ? this.log.includes(UP) : (await fetch(`${this.admin}/readyz`)).ok;
      }, READY_MS);
      if (child.exitCode !== null) throw new Error(`the server exited with ${child.exitCode}`);
      this.ran = true;
    } catch (error) {
      child.kill('SIGKILL');
      if (!this.ran) await rm(this.dataDir, { recursive: true, force: true });
      throw new Error(`${error.message}\n${this.log}`);
    }
  }

  /** Returns the processes of a fleet (`up --cluster`) by name, as its banner lists them. */
  members() {
    const found = this.log.matchAll(/^ +([a-z]+(?:-\d+)?) +(http:\S+)? +admin (http:\S+?)\/$/gm);
    return Object.fromEntries([...found].map(([, name, at, admin]) => [name, { origin: at?.replace(/\/$/, ''), admin }]));
  }

  /** Kills the process as a power cut would. */
  async kill() {
    this.child.kill('SIGKILL');
    await this.exited;
  }

  /** Stops the process with an interrupt. Returns the exit code. */
  async stop() {
    this.child.kill('SIGINT');
    const late = setTimeout(() => this.child.kill('SIGKILL'), STOP_MS);
    const code = await this.exited;
    clearTimeout(late);
    await rm(this.dataDir, { recursive: true, force: true });
    return code;
  }

  /** Returns a token of ten minutes. The same one is made once. */
  token(user, role = 'viewer', room = 'demo', more = []) {
    const args = ['token', ...more, '--user', user, '--room', room, '--role', role, '--ttl-secs', '600', '--data-dir', this.dataDir];
    const name = args.join('\0');
    if (!this.tokens.has(name)) {
      const made = promisify(execFile)(binary(), args, { cwd: this.dataDir, env: environment() });
      this.tokens.set(name, made.then(({ stdout }) => stdout.trim()));
    }
    return this.tokens.get(name);
  }

  /** Posts a message. Waits for a limit to pass; returns any other answer. */
  async post(token, body, room = 'demo', resource = 'messages') {
    for (;;) {
      const answer = await fetch(`${this.origin}/v1/rooms/${room}/${resource}`, {
        method: 'POST',
        headers: { 'Content-Type': 'application/json', Authorization: `Bearer ${token}` },
        body: JSON.stringify(body),
      });
      const json = await answer.json();
      if (answer.status !== 429) return { status: answer.status, ...json };
      await pause(json.error?.retry_after_ms ?? 500);
    }
  }

  async adminPost(path, body, admin = this.admin) {
    this.adminToken ??= await this.token('admin', 'admin', '*');
    const answer = await fetch(`${admin}${path}`, {
      method: 'POST',
      headers: { 'Content-Type': 'application/json', Authorization: `Bearer ${this.adminToken}` },
      body: JSON.stringify(body),
    });
    if (!answer.ok) throw new Error(`${path}: ${answer.status} ${await answer.text()}`);
  }
}

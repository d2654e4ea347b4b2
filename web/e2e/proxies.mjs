// Real proxies between the page and a server: Squid, nginx, and a forward proxy that meddles.

import { spawn } from 'node:child_process';
import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { connect, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { until } from './server.mjs';

/** Largest head of a request. */
const HEAD_BYTES_MAX = 64 * 1024;
const PORTAL = '<!doctype html><title>Sign in</title><h1>Welcome to this network</h1>';
/** Where Debian puts servers, which is not on the path of ordinary users. */
const PATH = `${process.env.PATH}:/usr/sbin`;

/** Returns a free port. */
export async function freePort() {
  const server = createServer();
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address();
  await new Promise((resolve) => server.close(resolve));
  return port;
}

async function accepts(port) {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1');
    socket.once('connect', () => resolve(true)).once('error', () => resolve(false));
    socket.once('connect', () => socket.destroy());
  });
}

/** Starts a program with a configuration file in a folder of its own, and waits until it listens. */
async function start(program, port, config, args) {
  const folder = await mkdtemp(join(tmpdir(), `barrage-${program}-`));
  // Started as root, Squid changes to a user of its own.
  await chmod(folder, 0o777);
  const file = join(folder, 'config');
  await writeFile(file, config(folder));
  const child = spawn(program, args(file, folder), { env: { ...process.env, PATH }, stdio: 'ignore' });
  const exited = new Promise((resolve) => child.once('close', resolve));
  const stop = async () => {
    child.kill('SIGKILL');
    await exited;
    await rm(folder, { recursive: true, force: true });
  };
  try {
    await until(`${program} listens`, () => accepts(port), 30_000);
  } catch (error) {
    await stop();
    throw error;
  }
  return { origin: `http://127.0.0.1:${port}`, stop };
}

/** Starts a Squid without a cache; with `tunnels` it opens tunnels with the method CONNECT. */
export async function squid({ tunnels }) {
  const port = await freePort();
  const lines = (folder) => [
    `http_port 127.0.0.1:${port}`,
    ...(tunnels ? [] : ['acl tunnels method CONNECT', 'http_access deny tunnels']),
    'http_access allow all',
    'visible_hostname proxy.test',
    'cache deny all',
    'cache_mem 8 MB',
    'access_log none',
    `cache_log ${folder}/cache.log`,
    'cache_store_log none',
    `pid_filename ${folder}/squid.pid`,
    `coredump_dir ${folder}`,
    'max_filedescriptors 1024',
    'pinger_enable off',
    '',
  ];
  return start('squid', port, (folder) => lines(folder).join('\n'), (file) => ['-N', '-f', file]);
}

/** Starts an nginx at `port` in front of a server, which buffers also what declines it. */
export async function bufferingNginx(port, server) {
  const config = (folder) => `
    daemon off; master_process off; pid ${folder}/nginx.pid; error_log stderr;
    events { worker_connections 256; }
    http {
      access_log off;
      ${['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map((name) => `${name}_temp_path ${folder}/${name};`).join(' ')}
      server { listen 127.0.0.1:${port}; location / {
        proxy_pass ${server}; proxy_set_header Host $http_host;
        proxy_buffering on; proxy_ignore_headers X-Accel-Buffering;
      } }
    }`;
  return start('nginx', port, config, (file, folder) => ['-p', folder, '-e', 'stderr', '-c', file]);
}

/**
 * A forward proxy that reads HTTP, one request a connection, also inside of its tunnels. `mode` is one
 * of `pass`, `refuse` (403 for a handshake), `as200` (200 for a handshake), `headers` (removes the token
 * and all of WebSockets), `api` (403 for posts and the history) and `portal` (200 with a page for everything).
 */
export class Meddler {
  mode = 'pass';
  #sockets = new Set();
  #server = createServer((socket) => this.#accept(socket));

  static async start(mode) {
    const meddler = new Meddler();
    meddler.mode = mode;
    await new Promise((resolve) => meddler.#server.listen(0, '127.0.0.1', resolve));
    meddler.origin = `http://127.0.0.1:${meddler.#server.address().port}`;
    return meddler;
  }

  /** Cuts all open connections. */
  cut() {
    for (const socket of this.#sockets) socket.destroy();
  }

  async stop() {
    this.cut();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  #accept(socket) {
    this.#keep(socket);
    this.#head(socket, Buffer.alloc(0), (head, rest) => {
      const [, method, target] = /^(\S+) (\S+)/.exec(head) ?? [];
      if (method !== 'CONNECT') {
        const url = URL.parse(target ?? '');
        return url ? this.#request(socket, url.host, head.replace(target, url.pathname + url.search), rest) : socket.destroy();
      }
      socket.write('HTTP/1.1 200 Connection established\r\n\r\n');
      this.#head(socket, rest, (inner, more) => this.#request(socket, target, inner, more));
    });
  }

  #keep(socket) {
    this.#sockets.add(socket);
    socket.on('error', () => socket.destroy()).on('close', () => this.#sockets.delete(socket));
  }

  /** Reads up to the end of a head, and passes on what lies behind it. */
  #head(socket, before, then) {
    let bytes = before;
    const read = (chunk) => {
      bytes = Buffer.concat([bytes, chunk]);
      const end = bytes.indexOf('\r\n\r\n');
      if (end < 0) return bytes.length > HEAD_BYTES_MAX ? socket.destroy() : undefined;
      socket.off('data', read);
      then(bytes.subarray(0, end).toString('latin1'), bytes.subarray(end + 4));
    };
    socket.on('data', read);
    if (before.length > 0) read(Buffer.alloc(0));
  }

  #request(socket, authority, head, rest) {
    const isHandshake = /^upgrade:/im.test(head);
    const isApi = /^\S+ \S*\/(messages|history)[ ?]/.test(head);
    const statuses = { portal: '200 OK', as200: isHandshake && '200 OK', refuse: isHandshake && '403 Forbidden', api: isApi && '403 Forbidden' };
    const status = statuses[this.mode];
    if (status) {
      const fields = `Content-Type: text/html\r\nContent-Length: ${PORTAL.length}\r\nConnection: close`;
      return socket.end(`HTTP/1.1 ${status}\r\n${fields}\r\n\r\n${PORTAL}`);
    }
    const [host, port] = authority.split(':');
    const server = connect(Number(port ?? 80), host);
    this.#keep(server);
    const keeps = isHandshake && this.mode !== 'headers';
    const strips = this.mode === 'headers' ? /^(authorization|upgrade|connection|sec-websocket|proxy-)/i : /^(proxy-|connection:)/i;
    const lines = head.split('\r\n').filter((line, n) => n === 0 || (keeps && /^connection:/i.test(line)) || !strips.test(line));
    if (!keeps) lines.push('Connection: close');
    server.write(`${lines.join('\r\n')}\r\n\r\n`);
    server.write(rest);
    socket.pipe(server);
    server.pipe(socket);
    socket.on('close', () => server.destroy());
    server.on('close', () => socket.destroySoon());
  }
}

// A scripted admin listener: the built console, and answers that a test sets. It records the calls.

import { readFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import { extname } from 'node:path';
import { fileURLToPath } from 'node:url';
import { newContext } from './browser.mjs';

const DIST = fileURLToPath(new URL('../dist', import.meta.url));
const TYPES = { '.html': 'text/html; charset=utf-8', '.js': 'text/javascript', '.css': 'text/css', '.svg': 'image/svg+xml' };
const POLICY =
  "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

export const TOKEN = 'right';

/** Returns a gateway of an overview. */
export function gateway(id, load = {}, more = {}) {
  const full = {
    connections: 1_200, connections_max: 20_000, rooms: 3, joins_per_s: 12.5, joins_per_s_max: 500, deliveries_per_s: 48_200,
    egress_bytes_per_s: 9_400_000, writes_per_s: 5_000, backlog_bytes: 0, cpu_cores: 0.42, memory_bytes: 181_000_000, lag_ms: 4, push_p99_ms: 38, overload_level: 0,
    ...load,
  };
  return { role: 'gateway', id, base_urls: [], age_secs: 7_300, draining: false, conservation_error: 0, load: full, report_age_ms: 400, process: 0, weight: 0.94, state: state(), ...more };
}

export function state(more = {}) {
  return { version: '0.2.0', revision: 'abc', breakers: {}, joins_refused: {}, turned_away: 0, conservation_errors: {}, ...more };
}

export function room(name, heat, viewers, more = {}) {
  return { room: name, heat, viewers, gateways: 2, offered_per_s: 40, shown_per_s: 38.5, deliveries_per_s: 38.5 * viewers, shown_per_s_max: 50, ...more };
}

export function overview(more = {}) {
  const other = (role, id, process, rest = {}) => ({ ...gateway(id, { connections: 0 }), role, process, weight: undefined, ...rest });
  return {
    at_ms: Date.now(),
    instances: [
      gateway('gateway-1', {}, { process: 0 }),
      gateway('gateway-2', { connections: 1_850, push_p99_ms: 52 }, { process: 1, weight: 0.91 }),
      other('uplink', 'uplink-1', 2, { state: state({ breakers: { redis: 'closed', 'moderation-hook': 'closed' } }) }),
      other('entry', 'entry', 3),
    ],
    entry: { waiting: 0, granted_per_s: 25 },
    blind: false,
    rooms: [room('concert', 'celebrity', 2_400, { offered_per_s: 1_800, shown_per_s: 50 }), room('demo', 'hot', 610), room('quiet', 'warm', 40, { offered_per_s: 0, shown_per_s: 0.2 })],
    rooms_total: 3,
    prewarms: [],
    switches: [
      ...['no-likes', 'no-entries', 'text-only', 'hold-chat', 'read-only', 'history-off'].map((name) => ({ name, value: false, values: 'true, false', meaning: `meaning of ${name}` })),
      ...['redis', 'moderation-hook'].map((name) => ({ name, value: 'no', values: 'no, open, closed', meaning: `meaning of ${name}` })),
    ],
    not_asked: [],
    ...more,
  };
}

export class Admin {
  /** Answer of the overview, as a value or a function. */
  overview = overview;
  /** Lines of the audit log. */
  audit = [];
  /** Reports of letters. */
  reports = [];
  /** Answer of `messages/{id}`. */
  message = { posts: [], uplinks_asked: 1, gateways_asked: 0, not_asked: [] };
  /** Events of a tail: pairs of name and data. */
  tail = [];
  /** Refusal of every call with the right token, such as `{ status: 503, body: {...} }`; null to answer. */
  refusal = null;
  calls = [];

  static async start() {
    const admin = new Admin();
    admin.server = createServer((request, response) => void admin.#answer(request, response));
    await new Promise((resolve) => admin.server.listen(0, '127.0.0.1', resolve));
    admin.origin = `http://127.0.0.1:${admin.server.address().port}`;
    return admin;
  }

  async stop() {
    this.server.closeAllConnections();
    await new Promise((resolve) => this.server.close(resolve));
  }

  /** Returns the recorded calls that change something, as `METHOD path body`. */
  changes() {
    return this.calls.filter(({ method }) => method !== 'GET').map(({ method, path, body }) => `${method} ${path} ${body}`);
  }

  async #answer(request, response) {
    const url = new URL(request.url, 'http://x');
    if (!url.pathname.startsWith('/v1/')) return this.#file(url.pathname, response);
    let body = '';
    for await (const chunk of request) body += chunk;
    this.calls.push({ method: request.method, path: url.pathname, query: url.search, body, token: request.headers.authorization, cookie: request.headers.cookie });
    const json = (status, value) => {
      response.writeHead(status, { 'content-type': 'application/json' });
      response.end(JSON.stringify(value));
    };
    const refuse = (status, code) => json(status, { error: { code, message: `the server says ${code}` } });
    if (request.headers.authorization === 'Bearer of-one-room') return refuse(403, 'wrong_room');
    if (request.headers.authorization !== `Bearer ${TOKEN}`) return refuse(401, 'unauthorized');
    if (this.refusal) return json(this.refusal.status, this.refusal.body);
    if (url.pathname === '/v1/admin/overview') return json(200, typeof this.overview === 'function' ? this.overview() : this.overview);
    if (url.pathname === '/v1/admin/media/reviews') return json(200, { reviews: [] });
    if (url.pathname === '/v1/admin/reports') return json(200, { reports: this.reports });
    if (url.pathname.endsWith('/audit')) return json(200, this.#auditPage(url.searchParams));
    if (url.pathname.startsWith('/v1/admin/messages/')) return json(200, this.message);
    if (url.pathname.endsWith('/tail')) return this.#tail(response);
    return json(200, {});
  }

  #auditPage(query) {
    const fits = (line) => ['room', 'actor', 'action', 'user'].every((name) => !query.has(name) || line[name] === query.get(name));
    return { lines: this.audit.filter(fits), next_before: null };
  }

  #tail(response) {
    response.writeHead(200, { 'content-type': 'text/event-stream' });
    for (const [event, data] of this.tail) response.write(`event: ${event}\ndata: ${JSON.stringify(data)}\n\n`);
  }

  async #file(path, response) {
    const name = path === '/console/' ? '/console/index.html' : path;
    try {
      const content = await readFile(`${DIST}${name}`);
      response.writeHead(200, { 'content-type': TYPES[extname(name)] ?? 'application/octet-stream', 'content-security-policy': POLICY });
      response.end(content);
    } catch {
      response.writeHead(404).end();
    }
  }
}

/** Opens the console without signing in. `page.faults` lists script errors, dialogs and policy violations. */
export async function visit(browser, origin, options = {}) {
  const context = await newContext(browser, { viewport: { width: 1440, height: 900 }, locale: 'en-US', ...options });
  const page = await context.newPage();
  page.faults = [];
  page.on('pageerror', (error) => page.faults.push(`error: ${error.message}`));
  page.on('dialog', (dialog) => {
    page.faults.push(`dialog: ${dialog.message()}`);
    void dialog.dismiss();
  });
  page.on('console', (message) => {
    if (message.text().includes('Content Security Policy')) page.faults.push(`policy: ${message.text()}`);
  });
  await page.goto(`${origin}/console/`);
  return page;
}

/** Makes the console ask for its figures at once, as on the return to its tab. */
export function refresh(page) {
  return page.evaluate(() => document.dispatchEvent(new Event('visibilitychange')));
}

/** Opens the console and signs in. */
export async function signIn(browser, origin, token = TOKEN, options = {}) {
  const page = await visit(browser, origin, options);
  await page.fill('#token', token);
  await page.press('#token', 'Enter');
  await page.waitForSelector('#app:not([hidden])');
  return page;
}

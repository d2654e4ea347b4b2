// A site on another origin than the server: it serves a page of these tests, bundled from the real libraries.

import { createServer } from 'node:http';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'vite';

/** Policy of the site. Players add inline styles; scripts come from the site and from the server's SDK alone. */
const policy = (server) =>
  `default-src 'none'; script-src 'self' ${server}; style-src 'self' 'unsafe-inline'; img-src 'self' data:; font-src data:; ` +
  "connect-src http: ws: blob:; media-src 'self' blob: data:";
const TYPES = { js: 'text/javascript', css: 'text/css', html: 'text/html; charset=utf-8' };
const STYLE = 'body { margin: 0; background: #222; } .place { position: relative; width: 480px; height: 270px; } .place video { width: 100%; height: 100%; }';

export class Host {
  /** Starts a site whose page runs a module of the tests, by its path in `e2e`. */
  static async start(entry = 'embed/page.mjs') {
    const host = new Host();
    host.files = new Map(await bundle(entry));
    host.http = createServer((request, response) => host.#answer(request, response));
    await new Promise((resolve) => host.http.listen(0, '127.0.0.1', resolve));
    host.origin = `http://127.0.0.1:${host.http.address().port}`;
    return host;
  }

  /** Origin of the Barrage server, whose scripts the policy allows. */
  server = '';

  /** Serves this page at a path. */
  page(path, html) {
    this.files.set(path, html);
  }

  async stop() {
    this.http.closeAllConnections();
    await new Promise((resolve) => this.http.close(resolve));
  }

  #answer(request, response) {
    const found = this.files.get(new URL(request.url, this.origin).pathname);
    if (found === undefined) return response.writeHead(404).end();
    const type = TYPES[request.url.split('.').pop()] ?? TYPES.html;
    response.writeHead(200, { 'Content-Type': type, 'Content-Security-Policy': policy(this.server) });
    response.end(found);
  }
}

/** Bundles the page; returns its files by path. */
async function bundle(page) {
  const lib = { entry: join(dirname(dirname(fileURLToPath(import.meta.url))), page), name: 'page', formats: ['iife'], fileName: () => 'page.js', cssFileName: 'page' };
  const [{ output }] = await build({ configFile: false, logLevel: 'error', define: { 'process.env.NODE_ENV': '"production"' }, build: { write: false, minify: false, lib } });
  const files = output.map((file) => [`/${file.fileName}`, file.type === 'chunk' ? file.code : file.source]);
  const html = `<!doctype html><html lang="en"><meta charset="utf-8"><title>site</title><link rel="icon" href="data:,"><link rel="stylesheet" href="/page.css"><link rel="stylesheet" href="/site.css"><body><script src="/page.js"></script>`;
  return [...files, ['/', html], ['/site.css', STYLE]];
}

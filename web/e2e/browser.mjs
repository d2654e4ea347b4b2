// Starts Chromium without windows, and reads the page for the tests.

import { existsSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { chromium } from 'playwright-core';
import { together } from './suite.mjs';

const DIST = fileURLToPath(new URL('../dist/', import.meta.url));

/** Milliseconds for a page, an element or an action on a machine that compiles or tests beside the browser. */
const PATIENCE_MS = Number(process.env.PATIENCE_MS ?? 90_000);

/**
 * Features of Chromium that are off. It reads only the last such list, so the ones that Playwright names come first.
 * The two of the address bar would load two pages of its own beside each page of a test, which costs as much again.
 */
const FEATURES_OFF = [
  'AimEnabled', 'AvoidCorsURLLoaderRestartOnRedirect', 'AvoidUnnecessaryBeforeUnloadCheckSync', 'DestroyProfileOnBrowserClose',
  'HttpsFirstBalancedModeAutoEnable', 'HttpsUpgrades', 'LensOverlay', 'MediaRouter', 'NetworkTimeServiceQuerying', 'OptimizationHints',
  'PaintHolding', 'PreconnectToSearch', 'ThirdPartyStoragePartitioning',
  'WebUIOmniboxAimPopup', 'WebUIOmniboxPopup',
  // A page that the test answers itself counts as one of the internet, which may not connect to this machine.
  ...(process.env.BARRAGE_PAGES === 'disk' ? ['LocalNetworkAccessChecks'] : []),
];

const ARGS = [
  '--headless',
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
  // A microphone that beeps, for pages that the test allows to record.
  '--use-fake-device-for-media-stream',
  '--use-fake-ui-for-media-stream',
  `--disable-features=${FEATURES_OFF.join(',')}`,
];

/** Browser of all files that run together. */
let shared = null;

function start() {
  return chromium.launch({ executablePath: process.env.CHROMIUM_BIN ?? '/usr/bin/chromium-headless-shell', args: ARGS });
}

/** Returns a browser: a new one for a file that runs alone, and the same one for all files that run together. */
export async function launch() {
  if (!together()) return start();
  if (!shared?.isConnected()) shared = await start();
  return lent(shared);
}

/** Returns the browser for one file, whose `close` ends only what the file has opened. */
function lent(browser) {
  const close = () => Promise.all(browser.contexts().map((context) => context.close()));
  return new Proxy(browser, {
    get: (_, name) => {
      if (name === 'close') return close;
      const value = browser[name];
      return typeof value === 'function' ? value.bind(browser) : value;
    },
  });
}

/** Ends the browser of the files that run together. */
export async function closeShared() {
  await shared?.close();
}

/**
 * For tests that look at danmaku, animations or the scene. All other pages ask for reduced motion: a page that moves
 * takes a fifth of a processor while its test waits.
 */
export const MOVING = { reducedMotion: 'no-preference' };

/** Returns a context whose pages wait long enough on a busy machine, and do not move. */
export async function newContext(browser, options) {
  const context = await browser.newContext({ reducedMotion: 'reduce', ...options });
  context.setDefaultTimeout(PATIENCE_MS);
  if (process.env.BARRAGE_PAGES === 'disk') await pagesFromDisk(context);
  return context;
}

/** Returns the policy of the public pages, as the server of this source tree sends it, with the origins of images that the running one adds. */
function policy(running = '') {
  const source = readFileSync(new URL('../../services/barrage/src/process/page.rs', import.meta.url), 'utf8');
  const [, text] = /const POLICY: &str = "([^"]*)"/.exec(source);
  const [images = "; img-src 'self' data:"] = /; img-src [^;]*/.exec(running) ?? [];
  return `${text.replace(/\\\n\s*/g, '')}${images}; frame-ancestors 'self'`;
}

/**
 * Answers requests for files of the pages from `dist`, with the headers of the server's own page. So a change of a
 * page needs no build of the server, which has the pages inside.
 */
async function pagesFromDisk(context) {
  await context.route((url) => !url.pathname.startsWith('/v1/'), async (route) => {
    const url = new URL(route.request().url());
    const path = `${DIST}${url.pathname.slice(1)}${url.pathname.endsWith('/') ? 'index.html' : ''}`;
    if (!existsSync(path)) return route.continue();
    // A server that has ended answers nothing, as without this.
    const page = await route.fetch({ url: url.origin }).catch(() => null);
    if (page === null) return route.abort().catch(() => undefined);
    const headers = { ...page.headers() };
    for (const name of ['content-type', 'content-length', 'content-encoding']) delete headers[name];
    headers['content-security-policy'] = policy(headers['content-security-policy']);
    await route.fulfill({ path, headers });
  });
}

/**
 * Opens the page and waits until it has joined; `prepare` gets it before. `page.faults` lists script errors, dialogs and
 * policy violations.
 */
export async function open(browser, server, { query = '', token = null, prepare = null, ...options } = {}) {
  const context = await newContext(browser, { viewport: { width: 1280, height: 720 }, locale: 'en-US', ...options });
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
  await prepare?.(page);
  await page.goto(`${server.origin}/${query}${token ? `#token=${token}` : ''}`);
  await connected(page);
  return page;
}

export async function connected(page) {
  await page.waitForSelector('#state[data-state=open]', { state: 'attached' });
}

/** Types a text and sends it with Enter, as soon as the message before is answered: until then the page sends nothing. */
export async function send(page, text) {
  await page.fill('#text', text);
  await page.waitForSelector('#composer:not(.busy)', { state: 'attached' });
  await page.press('#text', 'Enter');
}

/** Returns the texts of the chat rows, in order. */
export function chats(page) {
  return page.$$eval('#list .row.chat .words', (rows) => rows.map((row) => row.textContent));
}

/** Returns the names of the gifts in the list, in order. */
export function gifts(page) {
  return page.$$eval('#list .row.gift', (rows) => rows.map((row) => row.dataset.gift));
}

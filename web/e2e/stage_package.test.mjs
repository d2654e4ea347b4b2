// The package `@barrage/stage` alone in a browser, with both painters: seek, pause, masks, clicks, settings, hostile input; and
// frames and overlaps beside a library of npm, by turns.

import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { after, before, test } from './suite.mjs';
import { bundled, engineScripts } from '../bench/bundle.mjs';
import { measureEngine } from '../bench/measure_engine.mjs';
import { texts } from '../bench/texts.mjs';
import { launch, MOVING, newContext } from './browser.mjs';
import { until } from './server.mjs';

const ORIGIN = 'https://stage.invalid';
/** The policy of the server's page, without connections. */
const POLICY = "default-src 'self'; script-src 'self'; img-src 'self' data:; object-src 'none'; base-uri 'none'";
const HTML = '<!doctype html><script src="/stage.js"></script><body><div id="stage"></div>';
const HOSTILE = [
  '<script>window.pwned=1</script>',
  '<img src=x onerror=window.pwned=1>',
  '<svg onload=window.pwned=1>',
  '"><iframe srcdoc="<script>parent.pwned=1</script>">',
  'javascript:window.pwned=1',
  '\u202eevil\u202c \u0000\u0007',
  '🏳️‍🌈'.repeat(200),
  '\ud800',
  'Z͑ͫ̓ͪ̂ͫ̽͏̴̙̤̞͉͚̯̞̠͍A̴̵̜̰͔ͫ͗͢L̠ͨͧͩ͘G̴̻͈͍͔̹̑͗̎̅͛́Ǫ̵̹̻̝̳͂̌̌͘',
];

let browser;
let script;
/** The examples of the guide, with the package as a global. */
let guide;

before(async () => {
  script = await bundled('packages/stage/src/index.ts');
  const page = await readFile(new URL('../../docs/guide/embed.md', import.meta.url), 'utf8');
  const examples = [...page.matchAll(/```js stage\n([\s\S]*?)```/g)].map(([, code]) => code.replace(/import (\{.*\}) from '@barrage\/stage';/, 'const $1 = bundle;'));
  assert.equal(examples.length, 3);
  guide = `${examples.join('')}Object.assign(window, { stage, line });`;
  browser = await launch();
});
after(() => browser?.close());

/** Opens a page with a stage as `window.stage`. `page.faults` lists script errors, dialogs, violations and requests. */
async function openStage(options) {
  const page = await (await newContext(browser, { ...MOVING, viewport: { width: 900, height: 400 } })).newPage();
  page.faults = [];
  page.on('pageerror', (error) => page.faults.push(error.message));
  page.on('dialog', (dialog) => page.faults.push(dialog.message()));
  page.on('console', (message) => message.type() === 'error' && page.faults.push(message.text()));
  await page.route('**/*', (route) => {
    const url = route.request().url();
    if (url === `${ORIGIN}/`) return route.fulfill({ contentType: 'text/html', headers: { 'Content-Security-Policy': POLICY }, body: HTML });
    if (url === `${ORIGIN}/stage.js`) return route.fulfill({ contentType: 'text/javascript', body: script });
    if (url === `${ORIGIN}/guide.js`) return route.fulfill({ contentType: 'text/javascript', body: guide });
    page.faults.push(url);
    return route.abort();
  });
  await page.goto(`${ORIGIN}/`);
  await page.evaluate((given) => {
    document.body.style.margin = '0';
    Object.assign(document.getElementById('stage').style, { position: 'relative', width: '900px', height: '400px' });
    window.stage = new window.bundle.Stage(document.getElementById('stage'), given);
    // Elements and pictures of the canvas, as the page shows them.
    window.colored = () => {
      const canvas = document.querySelector('.barrage-stage canvas');
      return canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height).data.some((value) => value > 0);
    };
  }, options);
  return page;
}

const flying = (page) => page.evaluate(() => window.stage.flying.map(({ text }) => text));

for (const painter of ['dom', 'canvas']) {
  test(`${painter}: danmaku fly, stop with the player, leave by recall, purge and settings, and are clicked`, async () => {
    const page = await openStage({ painter });
    await page.evaluate(() => {
      window.clicks = [];
      window.stage.on('click', ({ sequence, user, text }) => window.clicks.push([sequence, user, text]));
      window.stage.fly({ sequence: 1, user: 'ann', text: 'stands', mode: 'top' });
      window.stage.fly({ sequence: 2, user: 'bo', text: 'moves', mode: 'scroll' });
      window.stage.fly({ sequence: 3, user: 'cy', text: 'back', mode: 'reverse' });
    });
    await until('they fly', async () => (await flying(page)).length === 3);
    if (painter === 'canvas') await until('the canvas is painted', () => page.evaluate(() => window.colored()));
    else assert.equal(await page.$$eval('.danmaku', (all) => all.length), 3);
    await page.evaluate(() => window.stage.pause());
    const [one, two] = [await page.evaluate(() => window.stage.timeMs), await page.evaluate(() => window.stage.timeMs)];
    assert.equal(one, two);
    const standing = await page.evaluate(() => window.stage.flying.find(({ text }) => text === 'stands'));
    await page.mouse.click(standing.leftPx + standing.widthPx / 2, standing.topPx + standing.heightPx / 2);
    assert.deepEqual(await page.evaluate(() => window.clicks), [[1, 'ann', 'stands']]);
    await page.evaluate(() => window.stage.play());
    await page.evaluate(() => window.stage.recall(1));
    await page.evaluate(() => window.stage.purge('bo'));
    assert.deepEqual(await flying(page), ['back']);
    await page.evaluate(() => window.stage.set({ modes: ['scroll'] }));
    assert.deepEqual(await flying(page), []);
    if (painter === 'canvas') await until('the canvas is empty', () => page.evaluate(() => !window.colored()));
    else assert.equal(await page.$$eval('.danmaku', (all) => all.length), 0);
    assert.deepEqual(page.faults, []);
    await page.context().close();
  });

  test(`${painter}: a seek shows what would be flying, paused or not, and each danmaku comes once`, async () => {
    const page = await openStage({ painter, settings: { merge: false } });
    await page.evaluate(() => {
      window.stage.pause();
      window.stage.load(Array.from({ length: 200 }, (_, n) => ({ atMs: n * 500, sequence: n, user: 'u', text: `at ${n * 500}` })));
      window.stage.seek(60_000);
    });
    const texts = await flying(page);
    assert.ok(texts.includes('at 59000') && texts.includes('at 54000') && !texts.includes('at 40000') && !texts.includes('at 60500'), texts.join());
    assert.equal(new Set(texts).size, texts.length);
    if (painter === 'dom') assert.equal(await page.$$eval('.danmaku', (all) => all.length), texts.length);
    await page.evaluate(() => window.stage.play());
    await until('the next one comes', async () => (await flying(page)).includes('at 60500'));
    await page.evaluate(() => window.stage.seek(10_000));
    const before = await flying(page);
    assert.ok(before.includes('at 9000') && !before.includes('at 60500'));
    assert.deepEqual(page.faults, []);
    await page.context().close();
  });

  test(`${painter}: no script of a name, text, emote, link, colour or size runs, and nothing is loaded`, async () => {
    const page = await openStage({ painter, settings: { density: 1 } });
    await page.evaluate((corpus) => {
      const values = [...corpus, -1, NaN, 1e9, null, {}, []];
      for (const [n, value] of values.entries()) {
        window.stage.fly({ sequence: n, user: value, text: String(value), tag: value, mode: value, color: value, size: value, lane: value, place: value });
        window.stage.fly({ sequence: value, user: 'u', text: 't', pieces: [{ emote: String(value), url: value }, { link: value, text: String(value) }], lane: 'own' });
        window.stage.set({ font: String(value) });
        window.stage.fly({ sequence: n, user: 'u', text: `${value}`, mode: 'placed', place: { x: 0.1, y: n / 20, height: value, rotateDeg: value, durationMs: value } });
      }
    }, HOSTILE);
    await until('all have had their turn', async () => (await page.evaluate(() => window.stage.counts.waiting)) === 0);
    assert.equal(await page.evaluate(() => window.pwned), undefined);
    const strange = await page.$$eval('#stage script, #stage iframe, #stage svg, #stage img, #stage style, #stage object, #stage a[href^=javascript]', (all) => all.map((one) => one.outerHTML));
    assert.deepEqual(strange, []);
    assert.deepEqual(page.faults, []);
    await page.context().close();
  });
}

test('the examples of the guide run unchanged', async () => {
  const page = await openStage({});
  await page.evaluate(async () => {
    window.stage.close();
    document.getElementById('stage').id = 'player';
    await import('/guide.js');
  });
  assert.deepEqual(await flying(page), ['first', 'second']);
  assert.match(await page.evaluate(() => window.line), /^M0 40L/);
  assert.match(await page.$eval('.barrage-stage', (layer) => layer.style.maskImage), /^url\("data:image\/svg\+xml/);
  assert.equal(await page.evaluate(() => window.stage.settings.speed), 1.5);
  assert.deepEqual(page.faults, []);
  await page.context().close();
});

test('a mask hides a part of the stage from its time on, and nothing of it runs', async () => {
  const page = await openStage({});
  await page.evaluate(() => {
    const svg = '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 2 1" preserveAspectRatio="none" onload="window.pwned=1"><script>window.pwned=1</script><rect width="1" height="1"/></svg>';
    window.stage.fly({ sequence: 1, user: 'u', text: '█'.repeat(20), mode: 'top', color: 0x00ff00 });
    window.stage.mask(svg);
    window.stage.mask(null, window.stage.timeMs + 60_000);
  });
  await until('it stands', async () => (await flying(page)).length === 1);
  const box = await page.evaluate(() => window.stage.flying[0]);
  assert.ok(box.leftPx < 450 && box.leftPx + box.widthPx > 450);
  const shot = await page.screenshot();
  const sides = await page.evaluate(async ([image, y]) => {
    const bytes = Uint8Array.from(atob(image), (letter) => letter.charCodeAt(0));
    const bitmap = await createImageBitmap(new Blob([bytes], { type: 'image/png' }));
    const context = new OffscreenCanvas(bitmap.width, bitmap.height).getContext('2d');
    context.drawImage(bitmap, 0, 0);
    return [400, 500].map((x) => [...context.getImageData(x, y, 1, 1).data.slice(0, 3)]);
  }, [shot.toString('base64'), Math.round(box.topPx + box.heightPx / 2)]);
  assert.deepEqual(sides, [[0, 255, 0], [255, 255, 255]]);
  assert.equal(await page.evaluate(() => window.pwned), undefined);
  assert.deepEqual(page.faults, []);
  await page.context().close();
});

test('beside `danmaku` of npm, by turns: no overlap, less of the main thread, and frames as often', async (t) => {
  const scripts = await engineScripts();
  const plan = { texts: texts(), perSecond: 50, fillMs: 1_500, measureMs: 1_500 };
  const rounds = { 'ours-dom': [], 'danmaku-dom': [] };
  const best = (name, of) => Math.min(...rounds[name].map((one) => one[of]));
  const frames = (name) => Math.max(...rounds[name].map((one) => one.frames_per_s));
  const isLess = () => best('ours-dom', 'main_thread_ms_per_frame') < best('danmaku-dom', 'main_thread_ms_per_frame');
  const isAsOften = () => frames('ours-dom') >= 0.8 * frames('danmaku-dom');
  // A busy machine disturbs one of them at times: then both have another turn.
  for (let round = 0; round < 2 && !(round > 0 && isLess() && isAsOften()); round += 1) {
    for (const name of Object.keys(rounds)) rounds[name].push(await measureEngine(browser, scripts, name, plan));
  }
  for (const name of Object.keys(rounds)) t.diagnostic(`${name}: ${JSON.stringify(rounds[name])}`);
  assert.equal(Math.max(...rounds['ours-dom'].map((one) => one.overlaps)), 0);
  assert.ok(best('danmaku-dom', 'overlaps') > 0, 'the measurement sees overlaps');
  assert.ok(isLess(), 'less of the main thread for a frame');
  assert.ok(isAsOften(), `${frames('ours-dom')} frames a second`);
});

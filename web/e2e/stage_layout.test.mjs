// The stage in a browser at 50 danmaku a second: no two boxes overlap, the whole stage is used, and each kind
// of danmaku keeps its place and its time.

import assert from 'node:assert/strict';
import { test } from './suite.mjs';
import { MOVING, open } from './browser.mjs';
import { boxes, overlaps, quarters } from './measure.mjs';
import { rig } from './rig.mjs';
import { pause, until } from './server.mjs';
import { different, Source } from './source.mjs';

/** The default display quota of a room. */
const PER_SECOND = 50;
/** Six seconds of the nine in which a danmaku crosses the stage, so that each is in many samples. */
const SAMPLES = 20;
const EVERY_MS = 300;
const SIZES = {
  desktop: { ...MOVING, viewport: { width: 1440, height: 900 } },
  phone: { ...MOVING, viewport: { width: 390, height: 844 }, isMobile: true, hasTouch: true },
  'phone in landscape': { ...MOVING, viewport: { width: 844, height: 390 }, isMobile: true, hasTouch: true },
};

const site = rig(() => Source.start());

/** Samples under load, and the numbers that the assertions look at. */
async function watch(page) {
  const found = { overlaps: [], flying: [], emptyQuarters: 0 };
  for (let sample = 0; sample < SAMPLES; sample += 1) {
    const now = await boxes(page);
    found.overlaps.push(...overlaps(now));
    found.flying.push(now.boxes.length);
    if (quarters(now).includes(0)) found.emptyQuarters += 1;
    await pause(EVERY_MS);
  }
  return found;
}

/** Own danmaku are shown at once on a full stage, and long ones fit on it. */
async function showsOwn(page) {
  for (const mode of ['scroll', 'top', 'bottom']) {
    const text = `${mode} ${'很长的一句话'.repeat(32)}`;
    site.server.say({ type: 'chat', user: 'guest-1', name: 'me', text, style: { mode, size: 'large', color: 0xffffff } });
    const own = await page.waitForSelector(`#flight .danmaku.own:has-text("${mode}")`, { state: 'attached', timeout: 10_000 });
    const { width, stage } = await own.evaluate((node) => ({ width: node.getBoundingClientRect().width, stage: node.parentElement.clientWidth }));
    assert.ok(width <= stage, `${mode}: ${width} of ${stage}`);
  }
  assert.deepEqual(overlaps(await boxes(page)), []);
}

for (const [name, size] of Object.entries(SIZES)) {
  test(`${name}: ${PER_SECOND} a second, no two danmaku overlap, and all quarters of the stage are used`, async (t) => {
    const page = await open(site.browser, site.server, size);
    const stop = site.server.chat(PER_SECOND, different());
    await until('the first danmaku has crossed the stage', async () => quarters(await boxes(page))[0] > 0);
    const found = await watch(page);
    if (name === 'desktop') await showsOwn(page);
    stop();
    const mean = found.flying.reduce((sum, flying) => sum + flying, 0) / SAMPLES;
    t.diagnostic(`${found.overlaps.length} overlaps in ${SAMPLES} samples, ${mean.toFixed(1)} in flight, ${found.emptyQuarters} samples with an empty quarter`);
    assert.deepEqual(found.overlaps, []);
    // One quarter of a small stage may be between two danmaku for a moment.
    assert.ok(found.emptyQuarters <= SAMPLES / 10, `${found.emptyQuarters} samples had an empty quarter`);
    assert.match(await page.textContent('#missed'), /^[\d,]+ in chat only$/);
    assert.deepEqual(page.faults, []);
  });
}

test('the scene is not painted while there is a video', async () => {
  const page = await open(site.browser, site.server, SIZES.desktop);
  const paints = () =>
    page.evaluate(async () => {
      const context = document.getElementById('scene').getContext('2d');
      const draw = context.drawImage;
      let count = 0;
      context.drawImage = function (...args) {
        count += 1;
        return draw.apply(this, args);
      };
      await new Promise((resolve) => setTimeout(resolve, 500));
      context.drawImage = draw;
      return count;
    });
  assert.ok((await paints()) > 0);
  await page.evaluate(() => document.getElementById('stage').prepend(document.createElement('video')));
  await until('it stops', async () => (await paints()) === 0);
  assert.ok(await page.isHidden('#scene'));
  await page.evaluate(() => document.querySelector('#stage video').remove());
  await until('it goes on', async () => (await paints()) > 0);
});

test('a standing danmaku leaves in time although the page does not remove it', async () => {
  const page = await open(site.browser, site.server, SIZES.desktop);
  site.server.say({ type: 'chat', text: 'stands', style: { mode: 'top', size: 'normal', color: 0xffffff } });
  await until('it stands', async () => (await boxes(page)).boxes.length === 1);
  // The stage runs no turn any more.
  await page.evaluate(() => {
    window.setTimeout = () => 0;
  });
  await until('it is out of view', async () => (await boxes(page)).boxes.length === 0, 15_000);
  assert.equal(await page.$$eval('#flight .danmaku', (found) => found.length), 1);
});

test('with reduced motion danmaku stand, and a recalled one leaves the stage', async () => {
  const page = await open(site.browser, site.server, { ...SIZES.desktop, reducedMotion: 'reduce' });
  const said = site.server.say(...Array.from({ length: 10 }, (_, n) => ({ type: 'chat', text: `standing ${n}` })));
  await until('they stand', async () => (await boxes(page)).boxes.length >= 8);
  const lefts = async () => (await boxes(page)).boxes.map((box) => Math.round(box.left));
  const before = await lefts();
  await pause(300);
  assert.deepEqual(await lefts(), before);
  assert.deepEqual(overlaps(await boxes(page)), []);
  site.server.say({ type: 'signal', signal: 'recall', sequence: said[0].sequence });
  await until('it left', async () => (await boxes(page)).boxes.length < before.length);
});

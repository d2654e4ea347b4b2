// Measures one engine in a page of its own: frames that the screen gets, the main thread's time, and boxes.

import { MOVING, newContext } from '../e2e/browser.mjs';
import { overlaps } from '../e2e/measure.mjs';
import { pause } from '../e2e/server.mjs';

const CATEGORIES = ['toplevel', 'devtools.timeline', 'disabled-by-default-devtools.timeline', 'disabled-by-default-devtools.timeline.frame'];
const MARK = 'the measured page';
const SIZE = { width: 1280, height: 540 };
/** A frame that lasts longer than three of the screen's is seen as a stutter. */
const LONG_FRAME_MS = 50;
const SAMPLES = 12;
const ORIGIN = 'http://bench.invalid';
const PAGE = `<!doctype html><body style="margin:0;background:#223"><div id="stage"
  style="position:relative;width:${SIZE.width}px;height:${SIZE.height}px;overflow:hidden;color:#fff;font-size:16px"></div>`;

/** Opens a page with the engine, lets it fill, and measures it for some seconds. */
export async function measureEngine(browser, scripts, name, { texts, perSecond, fillMs, measureMs }) {
  const context = await newContext(browser, { ...MOVING, viewport: SIZE });
  const page = await context.newPage();
  const faults = [];
  page.on('pageerror', (error) => faults.push(error.message));
  // An origin of its own: workers of modules do not run in an empty page.
  await page.route(`${ORIGIN}/**`, (route) => route.fulfill({ contentType: 'text/html', body: PAGE }));
  await page.goto(`${ORIGIN}/`);
  for (const content of scripts) await page.addScriptTag({ content });
  await page.evaluate(([engine, list, rate]) => window.bench.run(engine, list, rate), [name, texts, perSecond]);
  await pause(fillMs);
  const frames = await traced(page, browser, measureMs);
  const sampled = await sample(page);
  await context.close();
  return { ...frames, ...sampled, faults };
}

async function sample(page) {
  const found = { on_screen: 0, overlaps: 0 };
  for (let n = 0; n < SAMPLES; n += 1) {
    const boxes = await page.evaluate(() => window.bench.boxes());
    found.on_screen += boxes.length / SAMPLES;
    found.overlaps += overlaps({ boxes }).length / SAMPLES;
    await pause(150);
  }
  return found;
}

async function traced(page, browser, measureMs) {
  const root = await browser.newBrowserCDPSession();
  const session = await page.context().newCDPSession(page);
  const events = [];
  session.on('Tracing.dataCollected', ({ value }) => events.push(...value));
  await session.send('Tracing.start', { transferMode: 'ReportEvents', traceConfig: { includedCategories: CATEGORIES } });
  const cpuBefore = await cpuMs(root);
  const startMs = performance.now();
  await page.evaluate((mark) => console.timeStamp(mark), MARK);
  await pause(measureMs);
  const elapsedMs = performance.now() - startMs;
  const allMs = (await cpuMs(root)) - cpuBefore;
  const complete = new Promise((resolve) => session.once('Tracing.tracingComplete', resolve));
  await session.send('Tracing.end');
  await complete;
  await session.detach();
  await root.detach();
  return figures(events, elapsedMs, allMs);
}

/** CPU time of all the browser's processes so far. */
async function cpuMs(root) {
  const { processInfo } = await root.send('SystemInfo.getProcessInfo');
  return processInfo.reduce((sum, { cpuTime }) => sum + cpuTime * 1000, 0);
}

function figures(events, elapsedMs, allMs) {
  const marked = events.find((event) => event.name === 'TimeStamp' && event.args.data?.message === MARK);
  if (!marked) throw new Error('the trace does not name the main thread of the page');
  const own = events.filter(({ pid }) => pid === marked.pid);
  const main = own.filter(({ tid, ph, name }) => tid === marked.tid && ph === 'X' && name === 'ThreadControllerImpl::RunTask');
  const mainMs = main.reduce((sum, event) => sum + (event.tdur ?? 0), 0) / 1000;
  const drawn = own.filter(({ name }) => name === 'DrawFrame').map(({ ts }) => ts / 1000).sort((a, b) => a - b);
  const gaps = drawn.slice(1).map((ms, index) => ms - drawn[index]).sort((a, b) => a - b);
  return {
    frames_per_s: (drawn.length / elapsedMs) * 1000,
    frame_ms_p99: gaps[Math.floor(gaps.length * 0.99)] ?? elapsedMs,
    main_thread_ms_per_frame: mainMs / Math.max(1, drawn.length),
    main_thread_ms_per_s: (mainMs / elapsedMs) * 1000,
    browser_cpu_ms_per_s: (allMs / elapsedMs) * 1000,
    long_frames_per_min: (gaps.filter((ms) => ms > LONG_FRAME_MS).length / elapsedMs) * 60_000,
  };
}

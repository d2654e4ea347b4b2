// Measures the page: CPU time of its main thread, where its animations run, and the boxes of the
// danmaku in flight.

/** Trace categories with the thread's tasks, their CPU time, the frames, and the animations. */
const CATEGORIES = ['toplevel', 'devtools.timeline', 'disabled-by-default-devtools.timeline', 'disabled-by-default-devtools.timeline.frame', 'blink.animations'];

/** Text of the trace's event that names the page's main thread. */
const MARK = 'the traced page';

/** Traces the page while `run` runs: the main thread's CPU milliseconds and frames, and the animations. */
export async function traced(page, run) {
  const session = await page.context().newCDPSession(page);
  const events = [];
  session.on('Tracing.dataCollected', ({ value }) => events.push(...value));
  await session.send('Tracing.start', { transferMode: 'ReportEvents', traceConfig: { includedCategories: CATEGORIES } });
  const started = performance.now();
  // Names the page's main thread in the trace.
  await page.evaluate((mark) => console.timeStamp(mark), MARK);
  await run();
  const elapsedMs = performance.now() - started;
  const complete = new Promise((resolve) => session.once('Tracing.tracingComplete', resolve));
  await session.send('Tracing.end');
  await complete;
  await session.detach();
  return { ...summed(events), ...animationsOf(events), elapsedMs };
}

/** Counts the animations that began, and lists Chromium's reasons not to run one on the compositor. */
function animationsOf(events) {
  const all = events.filter((event) => event.name === 'Animation');
  const notComposited = all.map((event) => event.args.data?.compositeFailed ?? 0).filter((reasons) => reasons !== 0);
  return { animations: all.filter((event) => event.ph === 'b').length, notComposited };
}

function summed(events) {
  const marked = events.find((event) => event.name === 'TimeStamp' && event.args.data?.message === MARK);
  if (!marked) throw new Error('the trace does not name the main thread of the page');
  return totals(events.filter(({ pid, tid }) => pid === marked.pid && tid === marked.tid));
}

function totals(events) {
  const tasks = events.filter((event) => event.ph === 'X' && event.name === 'ThreadControllerImpl::RunTask');
  const cpuMs = tasks.reduce((sum, event) => sum + (event.tdur ?? 0), 0) / 1000;
  const frames = events.filter((event) => event.name === 'BeginMainThreadFrame').length;
  return { cpuMs, frames };
}

/** Reads the boxes of the danmaku that are in view, with the stage's own. */
export function boxes(page) {
  return page.evaluate(() => {
    const flight = document.getElementById('flight');
    const stage = flight.getBoundingClientRect();
    const found = [...flight.querySelectorAll('.danmaku')].map((node) => {
      const { left, right, top, bottom } = node.getBoundingClientRect();
      return { left, right, top, bottom, text: node.textContent };
    });
    const shown = found.filter((box) => box.right > stage.left && box.left < stage.right && box.right > box.left);
    return { stage: { left: stage.left, right: stage.right, top: stage.top, bottom: stage.bottom }, boxes: shown };
  });
}

/** Pairs of boxes that share more than half a pixel in both directions. */
export function overlaps({ boxes: all }) {
  const pairs = [];
  for (const [index, a] of all.entries()) {
    for (const b of all.slice(index + 1)) {
      const across = Math.min(a.right, b.right) - Math.max(a.left, b.left);
      const down = Math.min(a.bottom, b.bottom) - Math.max(a.top, b.top);
      if (across > 0.5 && down > 0.5) pairs.push([a, b]);
    }
  }
  return pairs;
}

/** How many danmaku touch each quarter of the stage, from left to right. */
export function quarters({ stage, boxes: all }) {
  const width = (stage.right - stage.left) / 4;
  return [0, 1, 2, 3].map((index) => {
    const left = stage.left + index * width;
    return all.filter((box) => box.right > left && box.left < left + width).length;
  });
}

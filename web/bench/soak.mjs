// Prints heap and nodes of a page whose stage gets 50 danmaku a second for some minutes, one line a minute:
// `node bench/soak.mjs --minutes 10 --painter canvas`. Both must stay level.

import { parseArgs } from 'node:util';
import { launch, MOVING, newContext } from '../e2e/browser.mjs';
import { pause } from '../e2e/server.mjs';
import { bundled } from './bundle.mjs';
import { texts } from './texts.mjs';

const { values } = parseArgs({ options: { minutes: { type: 'string', default: '10' }, painter: { type: 'string', default: 'dom' } } });
const MINUTE_MS = 60_000;

const browser = await launch();
const page = await (await newContext(browser, { ...MOVING, viewport: { width: 1280, height: 540 } })).newPage();
await page.addScriptTag({ content: await bundled('packages/stage/src/index.ts') });
await page.evaluate(([painter, list]) => {
  const container = document.createElement('div');
  Object.assign(container.style, { position: 'relative', width: '1280px', height: '540px' });
  document.body.append(container);
  const stage = new window.bundle.Stage(container, { painter });
  window.stage = stage;
  let sequence = 0;
  setInterval(() => {
    for (let n = 0; n < 5; n += 1) stage.fly({ sequence: (sequence += 1), user: 'u', text: `${list[sequence % list.length]} ${sequence}` });
  }, 100);
}, [values.painter, texts()]);

const session = await page.context().newCDPSession(page);
for (let minute = 0; minute <= Number(values.minutes); minute += 1) {
  await session.send('HeapProfiler.collectGarbage');
  const { jsHeapUsedSize, nodes } = await session.send('Memory.getDOMCounters').then(async (counters) => ({ ...counters, ...(await session.send('Runtime.getHeapUsage').then(({ usedSize }) => ({ jsHeapUsedSize: usedSize }))) }));
  const counts = await page.evaluate(() => window.stage.counts);
  console.log(JSON.stringify({ minute, heap_kib: Math.round(jsHeapUsedSize / 1024), nodes, ...counts }));
  if (minute < Number(values.minutes)) await pause(MINUTE_MS);
}
await browser.close();

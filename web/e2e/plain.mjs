// A page that shows as many danmaku as the stage, without the product's code: the least that this machine and
// browser need for it. Costs of the stage are compared with it, because machines differ.

import { MOVING, newContext } from './browser.mjs';

/** Milliseconds in which a danmaku crosses the page, as on the stage. */
const CROSSING_MS = 9_000;

/** Opens the page; it is full from the start, and shows `perSecond` new danmaku a second. */
export async function openPlain(browser, size, perSecond) {
  const context = await newContext(browser, { ...MOVING, ...size });
  const page = await context.newPage();
  await page.evaluate(
    ([crossingMs, everyMs]) => {
      const style = document.createElement('style');
      style.textContent = `body { margin: 0; overflow: hidden; background: #223 }
        span { position: absolute; left: 100%; white-space: pre; color: #fff; font: 600 22px sans-serif;
          text-shadow: 0 0 2px #000, 0 1px 2px #000; will-change: transform }`;
      document.head.append(style);
      let shown = 0;
      const show = (ageMs) => {
        const danmaku = document.createElement('span');
        danmaku.textContent = `生日快乐 ${shown} 哈哈哈哈`;
        danmaku.style.top = `${((shown * 7) % 30) * 28}px`;
        shown += 1;
        document.body.append(danmaku);
        const path = [{ transform: 'translateX(0)' }, { transform: `translateX(-${innerWidth + 300}px)` }];
        const animation = danmaku.animate(path, crossingMs);
        animation.currentTime = ageMs;
        animation.onfinish = () => danmaku.remove();
      };
      for (let ageMs = 0; ageMs < crossingMs; ageMs += everyMs) show(ageMs);
      setInterval(show, everyMs, 0);
    },
    [CROSSING_MS, 1000 / perSecond],
  );
  return page;
}

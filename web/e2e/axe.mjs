// Accessibility of a page: axe-core's rules for WCAG 2.2 A and AA and its best practices.

import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';

/** Rules that depend on colours and sizes; the others find the same in every size and scheme of a page. */
export const LOOKS = { type: 'rule', values: ['color-contrast', 'link-in-text-block', 'scrollable-region-focusable', 'target-size'] };
/** Animations that end within this time are waited for. */
const SHORT_MS = 1_000;
const TAGS = ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice'];
const ALL = { type: 'tag', values: TAGS };
const script = await readFile(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');

/**
 * Returns the rules that the page breaks now, or only the part that a selector names, each with the elements that
 * break it. Axe needs a second and more for a whole page: a state that changes one panel alone looks at that panel,
 * and a page that another test has seen with all rules is seen by its looks.
 */
export async function violations(page, selector = ':root', runOnly = ALL) {
  // Evaluated, because the page's policy forbids an added script element.
  if (!(await page.evaluate(() => 'axe' in window))) await page.evaluate(script);
  return page.evaluate(
    async ([only, part, shortMs]) => {
      // A row that fades in has less contrast for a moment. Danmaku move for seconds and are not waited for.
      const shadows = [...document.querySelectorAll('*')].flatMap(({ shadowRoot }) => shadowRoot ?? []);
      const all = [document, ...shadows].flatMap((root) => root.getAnimations());
      const short = all.filter((one) => one.effect.getComputedTiming().endTime <= shortMs);
      const paused = new Promise((resolve) => setTimeout(resolve, 2 * shortMs));
      await Promise.race([Promise.allSettled(short.map((one) => one.finished)), paused]);
      const options = { runOnly: only, resultTypes: ['violations'], preload: false, iframes: false };
      const { violations: found } = await window.axe.run(part, options);
      return found.map(({ id, impact, nodes }) => `${id} (${impact}): ${nodes.map(({ target, html }) => `${target.join(' ')} ${html.slice(0, 160)}`).slice(0, 3).join(', ')}`);
    },
    [runOnly, selector, SHORT_MS],
  );
}

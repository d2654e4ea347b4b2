// Accessibility of a page: axe-core's rules for WCAG 2.2 A and AA and its best practices.

import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';

const TAGS = ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice'];
const script = await readFile(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');

/** Returns the rules that the part of the page breaks now, each with the elements that break it. */
export async function violations(page, selector = ':root') {
  // Evaluated, because the page's policy forbids an added script element.
  await page.evaluate(script);
  return page.evaluate(
    async ([values, part]) => {
      const { violations: found } = await window.axe.run(part, { runOnly: { type: 'tag', values }, iframes: false });
      return found.map(({ id, impact, nodes }) => `${id} (${impact}): ${nodes.map((node) => node.target.join(' ')).slice(0, 3).join(', ')}`);
    },
    [TAGS, selector],
  );
}

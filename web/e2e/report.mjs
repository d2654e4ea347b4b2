// Reporter of node:test that writes one JSON line a test: its file, its name, its time and whether it failed.
// `run.mjs` makes each file a suite; a file that runs alone has its tests at the top.

import path from 'node:path';

export default async function* report(events) {
  /** Tests of the suite that runs. */
  let inside = [];
  for await (const { type, data } of events) {
    if (type !== 'test:pass' && type !== 'test:fail') continue;
    const one = { name: data.name, secs: data.details.duration_ms / 1000, failed: type === 'test:fail' };
    if (data.nesting === 1) inside.push(one);
    if (data.nesting > 0) continue;
    const isFile = data.name.endsWith('.test.mjs');
    const file = isFile ? data.name : path.relative(process.cwd(), data.file ?? data.name);
    // A suite without tests has failed before the first of them.
    for (const test of isFile && inside.length > 0 ? inside : [one]) yield `${JSON.stringify({ file, ...test })}\n`;
    inside = [];
  }
}

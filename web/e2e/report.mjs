// Reporter of node --test that writes one JSON line a test: its file, its name, its time and whether it failed.

import path from 'node:path';

export default async function* report(events) {
  for await (const { type, data } of events) {
    const ended = type === 'test:pass' || type === 'test:fail';
    if (!ended || data.nesting > 0) continue;
    const file = path.relative(process.cwd(), data.file ?? data.name);
    yield `${JSON.stringify({ file, name: data.name, secs: data.details.duration_ms / 1000, failed: type === 'test:fail' })}\n`;
  }
}

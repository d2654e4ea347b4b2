// A server and a browser for all tests of one file: started before the first test, stopped after the last.

import { after, afterEach, before } from './suite.mjs';
import { launch } from './browser.mjs';

/**
 * Starts what `start` returns, and a browser; closes all pages after each test. The result has both
 * from the first test on, as `server` and `browser`.
 */
export function rig(start) {
  const started = { server: null, browser: null };
  before(async () => {
    started.server = await start();
    started.browser = await launch();
  });
  afterEach(async () => {
    started.server.quiet?.();
    for (const context of started.browser.contexts()) await context.close();
  });
  after(async () => {
    await started.browser?.close();
    await started.server?.stop();
  });
  return started;
}

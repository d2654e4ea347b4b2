// Loads modules of the page for tests without a browser.

import { fileURLToPath } from 'node:url';
import { createServer } from 'vite';

/** Returns `load`, which loads a module by its path in `web`, and `close`, to call after the tests. */
export async function modules() {
  const root = fileURLToPath(new URL('..', import.meta.url));
  const vite = await createServer({ root, configFile: false, logLevel: 'error', server: { middlewareMode: true, ws: false, hmr: false, watch: null }, optimizeDeps: { noDiscovery: true } });
  return { load: (name) => vite.ssrLoadModule(`/${name}`), close: () => vite.close() };
}

/** Returns a generator of pseudo-random numbers from 0 to 1, the same for the same seed. */
export function seeded(seed) {
  let state = seed;
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return (state >>> 4) / 2 ** 28;
  };
}

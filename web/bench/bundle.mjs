// Builds a script of the bench and its packages into one text, without writing files.

import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { build } from 'vite';

const root = fileURLToPath(new URL('..', import.meta.url));

/** Returns the script as one immediately invoked function. `entry` is a path in `web`. */
export async function bundled(entry, format = 'iife') {
  const built = await build({
    root,
    configFile: false,
    logLevel: 'error',
    define: { 'process.env.NODE_ENV': '"production"' },
    build: { write: false, minify: true, target: 'es2022', lib: { entry, name: 'bundle', formats: [format], fileName: 'bundle' } },
  });
  return [built].flat()[0].output.find(({ type }) => type === 'chunk').code;
}

/**
 * Returns the scripts of the engines, in their order. The plugin of ArtPlayer sends the source of its
 * functions to a worker, so that only its own file works.
 */
export async function engineScripts() {
  const own = ['artplayer/dist/artplayer.js', 'artplayer-plugin-danmuku/dist/artplayer-plugin-danmuku.js'];
  const files = own.map((path) => readFile(`${root}/node_modules/${path}`, 'utf8'));
  return Promise.all([...files, bundled('bench/engines.mjs')]);
}

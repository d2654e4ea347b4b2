// Builds every page into `dist`, the SDK for script tags, and the service worker. The player page comes first, because
// its build empties the folder.

import { readdirSync, readFileSync, statSync, utimesSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'vite';

const place = (name) => fileURLToPath(new URL(name, import.meta.url));

/** Returns bytes and time of each file of `dist`, by its path. */
function built() {
  const files = readdirSync(place('dist'), { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile());
  const paths = files.map((entry) => join(entry.parentPath, entry.name));
  return new Map(paths.map((path) => [path, { bytes: readFileSync(path), time: statSync(path).mtime }]));
}

const before = built();
const PAGES = ['player', 'operator', 'overlay', 'moderate', 'replay'];

for (const mode of PAGES) await build({ mode, logLevel: 'warn' });

// One file each for script tags, with all that it needs: `<script src="/sdk/barrage.js">` defines `Barrage`, the other
// ones `<barrage-room>` and `BarragePlayers`. The first empties the folder.
const SCRIPTS = [
  { file: 'barrage', name: 'Barrage', entry: 'packages/client/src/script.ts' },
  { file: 'element', name: 'BarrageElement', entry: 'packages/element/src/register.ts' },
  { file: 'players', name: 'BarragePlayers', entry: 'packages/players/src/script.ts' },
];

for (const { file, name, entry } of SCRIPTS) {
  await build({
    configFile: false,
    publicDir: false,
    logLevel: 'warn',
    build: {
      target: 'es2022',
      outDir: place('dist/sdk'),
      emptyOutDir: file === 'barrage',
      lib: { entry: place(entry), name, formats: ['iife'], fileName: () => `${file}.js` },
    },
  });
}

// The service worker lies beside the player page, because the folder of its file is its scope.
await build({
  configFile: false,
  publicDir: false,
  logLevel: 'warn',
  build: {
    target: 'es2022',
    outDir: place('dist'),
    emptyOutDir: false,
    lib: { entry: place('pages/player/push/worker.ts'), name: 'worker', formats: ['iife'], fileName: () => 'push_worker.js' },
  },
});

// A file that is the same keeps its time. Cargo compiles the server, which embeds these files, again by their times.
for (const [path, { bytes }] of built()) {
  const earlier = before.get(path);
  if (earlier?.bytes.equals(bytes)) utimesSync(path, earlier.time, earlier.time);
}

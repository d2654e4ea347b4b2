// Builds every page into `dist`, and the SDK for script tags. The player page comes first, because its build
// empties the folder.

import { fileURLToPath } from 'node:url';
import { build } from 'vite';

const PAGES = ['player', 'operator', 'overlay', 'moderate', 'replay'];

for (const mode of PAGES) await build({ mode, logLevel: 'warn' });

// The whole SDK in one file: `<script src="/sdk/barrage.js">` defines `Barrage`.
await build({
  configFile: false,
  root: fileURLToPath(new URL('packages/client', import.meta.url)),
  logLevel: 'warn',
  build: {
    target: 'es2022',
    outDir: fileURLToPath(new URL('dist/sdk', import.meta.url)),
    emptyOutDir: true,
    lib: { entry: 'src/script.ts', name: 'Barrage', formats: ['iife'], fileName: () => 'barrage.js' },
  },
});

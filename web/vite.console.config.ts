import { fileURLToPath } from 'node:url';
import { defineConfig } from 'vite';
import page from './vite.config.ts';

const place = (name: string) => fileURLToPath(new URL(name, import.meta.url));

// The operator console: a build of its own, so that neither page loads code of the other. The admin
// listener alone serves it (services/barrage/src/operator/page.rs).
export default defineConfig({
  ...page,
  root: 'console',
  publicDir: place('public'),
  build: { ...page.build, outDir: place('dist/console') },
});

import { fileURLToPath } from 'node:url';
import { defineConfig } from 'vite';

const place = (name: string) => fileURLToPath(new URL(name, import.meta.url));

// One page per build, so that no page loads code of another: `vite build --mode PAGE` builds the page in
// `pages/PAGE`. The player page is the root of `dist`; each other page is a folder in it.
//
// The policy is a header of the server alone (services/barrage/src/page.rs): a second one in the page
// would hold as well, and the page could not reach uplinks and gateways of other origins.
//
// The output is checked in and embedded in the server binary, and CI compares
// it with a fresh build: names carry no hash, nothing depends on time or place.
const FOLDERS: Record<string, string> = { operator: 'console' };

export default defineConfig(({ mode, command }) => {
  const page = command === 'build' ? mode : 'player';
  return {
    base: './',
    root: place(`pages/${page}`),
    publicDir: place('public'),
    build: {
      target: 'es2022',
      outDir: place(page === 'player' ? 'dist' : `dist/${FOLDERS[page] ?? page}`),
      emptyOutDir: true,
      sourcemap: false,
      modulePreload: false,
      assetsInlineLimit: 0,
      rolldownOptions: {
        output: {
          entryFileNames: 'assets/[name].js',
          chunkFileNames: 'assets/[name].js',
          assetFileNames: 'assets/[name][extname]',
        },
      },
    },
  };
});

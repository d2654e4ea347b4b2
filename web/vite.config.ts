import { defineConfig } from 'vite';

// The policy is a header of the server alone (services/barrage/src/page.rs): a second one in the page
// would hold as well, and the page could not reach uplinks and gateways of other origins.
//
// The output is checked in and embedded in the server binary, and CI compares
// it with a fresh build: names carry no hash, nothing depends on time or place.
export default defineConfig({
  base: './',
  build: {
    target: 'es2022',
    outDir: 'dist',
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
});

import { defineConfig, type Plugin } from 'vite';

// The server sends the same policy as a header; the tag keeps a copy served by
// anything else as strict. Not in `vite dev`, which injects style elements.
const POLICY = [
  "default-src 'self'",
  "connect-src 'self' ws: wss:",
  "base-uri 'none'",
  "object-src 'none'",
  "form-action 'self'",
].join('; ');

const policy: Plugin = {
  name: 'barrage-policy',
  apply: 'build',
  transformIndexHtml: () => [
    {
      tag: 'meta',
      attrs: { 'http-equiv': 'Content-Security-Policy', content: POLICY },
      injectTo: 'head-prepend',
    },
  ],
};

// The output is checked in and embedded in the server binary, and CI compares
// it with a fresh build: names carry no hash, nothing depends on time or place.
export default defineConfig({
  base: './',
  plugins: [policy],
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

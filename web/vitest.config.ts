import { defineConfig } from 'vitest/config';

// Tests of the packages' logic, without a browser and without a server. The examples have their own builds.
export default defineConfig({
  test: {
    include: ['packages/*/test/**/*.test.{ts,tsx,mjs}', 'pages/*/test/**/*.test.ts'],
    environment: 'node',
    testTimeout: 20_000,
  },
});

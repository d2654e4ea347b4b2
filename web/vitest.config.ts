import { defineConfig } from 'vitest/config';

// Tests of the logic of packages and pages, without a browser and without a server. The examples have their own builds.
export default defineConfig({
  test: {
    include: ['{packages,pages}/*/test/**/*.test.{ts,tsx,mjs}'],
    environment: 'node',
    testTimeout: 20_000,
  },
});

import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    include: ['test/{unit,vectors,property,conformance}/**/*.test.ts'],
    environment: 'node',
    // All of a small machine: by default one core is left alone.
    maxWorkers: '100%',
    testTimeout: 30_000,
    hookTimeout: 30_000,
    teardownTimeout: 5_000,
  },
});

import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    include: ['test/{unit,vectors,property,conformance}/**/*.test.ts'],
    environment: 'node',
    // All of a small machine: by default one core is left alone.
    maxWorkers: '100%',
    setupFiles: ['test/support/patience.ts'],
    // What hangs fails late, and a busy machine fails nothing: several times what the slowest takes there.
    testTimeout: 120_000,
    hookTimeout: 120_000,
    teardownTimeout: 30_000,
    expect: { poll: { timeout: 10_000 } },
  },
});

import { defineConfig } from 'vitest/config';

/** Tests that stand on browsers, a Bitcoin node and a cosigner: they mostly wait, so two at a time, and time enough for each. */
export default defineConfig({
  test: {
    include: ['test/{e2e,fault}/**/*.test.ts'],
    environment: 'node',
    maxWorkers: 2,
    testTimeout: 300_000,
    hookTimeout: 300_000,
    teardownTimeout: 30_000,
    // For what comes by itself; on a busy machine that takes its time, and what never comes fails all the same.
    expect: { poll: { timeout: 60_000 } },
  },
});

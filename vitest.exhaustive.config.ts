import { defineConfig } from 'vitest/config';

/** Everything, where `npm test` takes a sample. One file at a time: each fills the machine. */
export default defineConfig({
  test: {
    include: ['test/exhaustive/**/*.exhaustive.ts', 'test/evidence/mutations.test.ts'],
    env: { MUSTER_TEST_EXHAUSTIVE: '1' },
    testTimeout: 180_000,
    hookTimeout: 120_000,
    pool: 'forks',
    maxWorkers: 1,
  },
});

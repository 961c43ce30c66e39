import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    testTimeout: 60_000,
    hookTimeout: 120_000,
    pool: 'forks',
    maxWorkers: 2,
    // A shared CI machine may stall for seconds. A test that needed its second try is printed as such.
    retry: process.env['CI'] === 'true' ? 1 : 0,
  },
});

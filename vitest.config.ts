import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    testTimeout: 60_000,
    hookTimeout: 120_000,
    pool: 'forks',
    // Drills of clusters mostly wait, for kubelets that report every ten seconds and the like: two cores have room for three.
    maxWorkers: 3,
    // A shared CI machine may stall for seconds. A test that needed its second try is printed as such.
    retry: process.env['CI'] === 'true' ? 1 : 0,
  },
});

import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    // Of what never ends. A machine that is four times slower and busy with others stays within them.
    testTimeout: 120_000,
    hookTimeout: 240_000,
    // Of one second by default, which a stalled machine exceeds. Where it matters how soon something happens, a test measures it.
    expect: { poll: { timeout: 30_000 } },
    pool: 'forks',
    // Drills of clusters mostly wait, for kubelets that report every ten seconds and the like: two cores have room for three.
    maxWorkers: 3,
    // A shared CI machine may stall for seconds. A test that needed its second try is printed as such.
    retry: process.env['CI'] === 'true' ? 1 : 0,
  },
});

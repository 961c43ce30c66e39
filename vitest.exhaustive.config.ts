import { defineConfig } from 'vitest/config';

/** Everything, where `npm test` takes a sample. One file at a time: each fills the machine. */
export default defineConfig({
  test: { include: ['test/exhaustive/**/*.exhaustive.ts'], testTimeout: 180_000, hookTimeout: 120_000, pool: 'forks', maxWorkers: 1 },
});

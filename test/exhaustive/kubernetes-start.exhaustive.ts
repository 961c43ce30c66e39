import { expect, it } from 'vitest';
import { requireOwnKubernetes, startKubernetes } from '../components/kubernetes/index.js';

const describe = await requireOwnKubernetes('a cluster is started');
const limitMs = 15_000;

describe('a cluster that is built already', () => {
  it(`is there within ${limitMs / 1000} s, with its nodes`, async () => {
    const took: number[] = [];
    // Where others keep the machine busy, the best of three says how long it takes.
    while (took.length < 3 && !took.some((ms) => ms < limitMs)) {
      const began = performance.now();
      const cluster = await startKubernetes();
      took.push(performance.now() - began);
      await cluster.stop();
    }
    console.log(`started in ${took.map(Math.round).join(', ')} ms`);
    expect(Math.min(...took)).toBeLessThan(limitMs);
  }, 180_000);
});

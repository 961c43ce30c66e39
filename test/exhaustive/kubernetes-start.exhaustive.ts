import { expect, it } from 'vitest';
import { requireOwnKubernetes, startKubernetes } from '../components/kubernetes/index.js';

const describe = await requireOwnKubernetes('a cluster is started');
const limitMs = 15_000;

describe('a cluster that is built already', () => {
  it(`is there within ${limitMs / 1000} s, with its nodes`, async () => {
    const began = performance.now();
    const cluster = await startKubernetes();
    const ms = performance.now() - began;
    await cluster.stop();
    console.log(`started in ${Math.round(ms)} ms`);
    expect(ms).toBeLessThan(limitMs);
  }, 120_000);
});

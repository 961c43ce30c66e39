import { afterAll, beforeAll, expect, test } from 'vitest';
import { motoComponent } from '../components/moto.js';
import { requireComponents } from '../components/index.js';
import { terraformComponent } from '../components/terraform/index.js';
import { drill, removeFolders } from './harness.js';
import { bucketsOf, startEstate, type Estate } from './terragrunt-rig.js';

const suite = await requireComponents(terraformComponent, motoComponent);

suite('an environment is rebuilt from code', () => {
  let estate: Estate;
  beforeAll(async () => {
    estate = await startEstate();
  });
  afterAll(async () => {
    await estate.stop();
    await removeFolders();
  });

  test('passes: bootstrapped, built in the order of the dependencies, held against its code, and gone again', async () => {
    const judged = await drill(estate.drill());
    expect(judged.drill.reasons).toEqual([]);
    expect(judged.drill.verdict).toBe('passed');
    expect(await bucketsOf(estate.moto)).toEqual([]);
  });
});

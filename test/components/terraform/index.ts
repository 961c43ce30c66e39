import { findProgram } from '../../../src/clients/process/which.js';
import type { describe } from 'vitest';
import { requireComponent, type Component } from '../index.js';
import { motoComponent } from '../moto.js';

/** Terraform as it is on PATH: no package of Debian or npm holds it. */
export const terraformComponent: Component = {
  name: 'terraform',
  installable: false,
  async obtain() {
    return (await findProgram('terraform', '/')) === undefined ? 'Put terraform (1.5 or later) on PATH.' : undefined;
  },
};

/** `describe` for suites that need Terraform with its state on moto. */
export async function terraformOnMoto(): Promise<typeof describe | typeof describe.skip> {
  const [terraform, moto] = [await requireComponent(terraformComponent), await requireComponent(motoComponent)];
  return (await terraformComponent.obtain()) === undefined ? moto : terraform;
}

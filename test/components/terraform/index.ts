import { findProgram } from '../../../src/clients/process/which.js';
import type { Component } from '../index.js';

/** Terraform as it is on PATH: no package of Debian or npm holds it. */
export const terraformComponent: Component = {
  name: 'terraform',
  installable: false,
  async obtain() {
    return (await findProgram('terraform', '/')) === undefined ? 'Put terraform (1.5 or later) on PATH.' : undefined;
  },
};

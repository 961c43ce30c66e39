import { fileURLToPath } from 'node:url';
import { findProgram } from '../../src/clients/process/which.js';
import type { Component } from './index.js';

const standIn = fileURLToPath(new URL('terragrunt/terragrunt', import.meta.url));

/** Real Terragrunt of MUSTER_TEST_TERRAGRUNT or PATH, else the stand-in (terragrunt/stand-in.js), which calls real terraform. */
export async function terragrunt(): Promise<{ readonly program: string; readonly isStandIn: boolean }> {
  const real = process.env['MUSTER_TEST_TERRAGRUNT'] ?? (await findProgram('terragrunt', '/'));
  return { program: real ?? standIn, isStandIn: real === undefined };
}

/** Real Terraform, which no package of Debian holds. */
export const terraformOnPath: Component = {
  name: 'Terraform',
  async obtain() {
    // One that names a missing file spoils all output.
    delete process.env['TF_CLI_CONFIG_FILE'];
    return (await findProgram('terraform', '/')) === undefined ? 'It has to be on PATH: neither npm nor Debian has it.' : undefined;
  },
};

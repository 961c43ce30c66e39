import { fileURLToPath } from 'node:url';
import { findProgram } from '../../src/clients/process/which.js';

const standIn = fileURLToPath(new URL('terragrunt/terragrunt', import.meta.url));

/** Real Terragrunt of MUSTER_TEST_TERRAGRUNT or PATH, else the stand-in (terragrunt/stand-in.js), which calls real terraform. */
export async function terragrunt(): Promise<{ readonly program: string; readonly isStandIn: boolean }> {
  const real = process.env['MUSTER_TEST_TERRAGRUNT'] ?? (await findProgram('terragrunt', '/'));
  return { program: real ?? standIn, isStandIn: real === undefined };
}

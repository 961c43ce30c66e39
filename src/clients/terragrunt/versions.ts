import { StepError } from '../../engine/errors.js';

/** From `terragrunt --version`. Throws StepError `terragrunt-failed` where that is no version. */
export function readTerragruntVersion(text: string): string {
  const version = /\bv?(\d+\.\d+\.\d+\S*)/.exec(text)?.[1];
  if (version === undefined) throw new StepError('terragrunt-failed', `terragrunt --version said ${JSON.stringify(text.slice(0, 200))}`);
  return version;
}

const numbers = (version: string): readonly number[] => version.split(/[.-]/).map(Number);

function isAtLeast(version: string, major: number, minor: number): boolean {
  const [own = 0, ownMinor = 0] = numbers(version);
  return own > major || (own === major && ownMinor >= minor);
}

/** Throws StepError `terragrunt-too-old` for a version that knows only run-all. */
export function checkTerragruntVersion(version: string): void {
  if (isAtLeast(version, 0, 90)) return;
  throw new StepError('terragrunt-too-old', `Terragrunt ${version} would have to be called by run-all, which 0.90 removed: Muster calls run --all, and reads its report`, { hint: 'Install Terragrunt 0.90 or later.' });
}

/** Which units, in the words of this version: `--filter` since 1.0. */
export function unitArguments(version: string, units: readonly string[] | undefined): string[] {
  if (units === undefined) return [];
  if (isAtLeast(version, 1, 0)) return units.map((unit) => `--filter=./${unit}`);
  return ['--queue-strict-include', ...units.map((unit) => `--queue-include-dir=${unit}`)];
}

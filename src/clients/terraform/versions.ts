import { StepError } from '../../engine/errors.js';

/** Since then plans say what was changed outside, and both tools speak the same machine-readable UI. */
const oldest: Readonly<Record<'terraform' | 'opentofu', readonly [number, number]>> = { terraform: [1, 5], opentofu: [1, 6] };

/** From `terraform version -json` or `tofu version -json`. `text`: the first line of `version`, which alone names the tool. */
export function readVersion(json: string, text: string): { readonly name: 'terraform' | 'opentofu'; readonly version: string } {
  const name = /^OpenTofu\b/m.test(text) ? 'opentofu' : /^Terraform\b/m.test(text) ? 'terraform' : undefined;
  let version: unknown;
  try {
    version = (JSON.parse(json) as { readonly terraform_version?: unknown }).terraform_version;
  } catch {
    version = undefined;
  }
  if (name === undefined || typeof version !== 'string') throw new StepError('not-terraform', 'the program says neither that it is Terraform nor that it is OpenTofu');
  return { name, version };
}

/** Throws StepError `tool-too-old`. */
export function checkVersion(name: 'terraform' | 'opentofu', version: string): void {
  const [major = 0, minor = 0] = version.split('.').map(Number);
  const [wantedMajor, wantedMinor] = oldest[name];
  if (major > wantedMajor || (major === wantedMajor && minor >= wantedMinor)) return;
  throw new StepError('tool-too-old', `${name} ${version} is too old: ${wantedMajor}.${wantedMinor} or later is needed`);
}

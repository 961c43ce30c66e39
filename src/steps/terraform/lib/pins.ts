import { blocksOf, textOf } from './hcl.js';

/** A source file of infrastructure code. */
export interface SourceFile {
  readonly path: string;
  readonly text: string;
}

/** Something whose version can be another one tomorrow. */
export interface Unpinned {
  /** `module network`, `provider aws`. */
  readonly object: string;
  readonly why: string;
}

const exact = /^=?\s*v?\d+\.\d+\.\d+([-+][\w.-]+)?$/;

/** Modules and providers that are not held to one version. Lock files hold providers, nothing holds modules but their source. */
export function unpinned(files: readonly SourceFile[]): Unpinned[] {
  const locked = new Set(files.filter(({ path }) => path.endsWith('.terraform.lock.hcl')).flatMap(({ text }) => blocksOf(text).filter(({ type }) => type === 'provider').flatMap(({ labels }) => labels.map(withoutHost))));
  const code = files.filter(({ path }) => /\.(tf|tofu|hcl)$/.test(path) && !path.endsWith('.terraform.lock.hcl'));
  return code.flatMap(({ path, text }) =>
    blocksOf(text).flatMap(({ type, labels, body }): Unpinned[] => {
      if (type === 'module') return moduleOf(`module ${labels[0] ?? '?'} in ${path}`, textOf(body, 'source'), textOf(body, 'version'));
      if (type !== 'terraform') return [];
      // A unit of Terragrunt names its module in the same block.
      const unit = path.endsWith('.hcl') ? moduleOf(`module of ${path}`, textOf(body, 'source'), undefined) : [];
      return [...unit, ...blocksOf(body).filter((block) => block.type === 'required_providers').flatMap((block) => providersOf(block.body, path, locked))];
    }),
  );
}

function moduleOf(object: string, source: string | undefined, version: string | undefined): Unpinned[] {
  const not = (why: string): Unpinned[] => [{ object, why }];
  if (source === undefined || /^\.{0,2}\//.test(source)) return [];
  if (source.startsWith('tfr://')) return exact.test(new URLSearchParams(source.split('?')[1]).get('version') ?? '') ? [] : not(`${source} names no exact version`);
  if (/^(git|hg)::|^git@|^(github|bitbucket)\.org\/|^github\.com\/|\.git(\?|\/\/|$)/.test(source)) return /[?&](ref|rev)=[^&]+/.test(source) ? [] : not(`${source} names no ref`);
  if (/^(https?|s3|gcs|oci)(::|:\/\/)/.test(source)) return /[?&](checksum|versionId|tag|digest)=[^&]+/.test(source) ? [] : not(`${source} names no checksum or version`);
  return version !== undefined && exact.test(version) ? [] : not(version === undefined ? `${source} names no version` : `${source} takes any version that fits "${version}"`);
}

function providersOf(body: string, path: string, locked: ReadonlySet<string>): Unpinned[] {
  return [...body.matchAll(/([A-Za-z_][\w-]*)\s*=\s*(\{[^}]*\}|"[^"]*")/g)].flatMap(([, name = '', value = '']) => {
    const source = withoutHost(textOf(value, 'source') ?? `hashicorp/${name}`);
    const version = value.startsWith('"') ? value.slice(1, -1) : textOf(value, 'version');
    if (source === 'builtin/terraform' || locked.has(source) || (version !== undefined && exact.test(version))) return [];
    return [{ object: `provider ${name} in ${path}`, why: `no lock file holds ${source}${version === undefined ? ', and it names no version' : `, and any version that fits "${version}" is taken`}` }];
  });
}

/** `registry.example/hashicorp/aws` is `hashicorp/aws`. */
function withoutHost(source: string): string {
  const parts = source.split('/');
  return parts.length > 2 ? parts.slice(-2).join('/') : source;
}

import { cpSync } from 'node:fs';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { parse, stringify } from 'yaml';
import type { Environment, Runbook } from '../../src/engine/documents.js';
import { startMoto, type Moto } from '../components/moto.js';
import { commit } from '../components/terraform/code.js';
import { terragrunt } from '../components/terragrunt.js';
import { root, type DrillOptions } from './harness.js';

/** The estate (test/fixtures/estate), and AWS to keep its states in. */
export interface Estate {
  readonly moto: Moto;
  /** Options of a drill that rebuilds a copy of the estate of its own, committed to git. */
  drill(options?: RebuildOptions): DrillOptions;
  stop(): Promise<void>;
}

export interface RebuildOptions extends Omit<DrillOptions, 'runbook' | 'environment' | 'documents'> {
  readonly runbook?: (runbook: Runbook) => void;
  readonly environment?: (environment: Environment) => void;
  /** Edits the code before it is committed. */
  readonly code?: (folder: string) => Promise<void> | void;
}

export const bucket = 'drill-states';
export const answers = { review: { who: 'rita', attestation: 'nine units, nothing goes' } };

export async function startEstate(): Promise<Estate> {
  const moto = await startMoto();
  const { program } = await terragrunt();
  return {
    moto,
    stop: () => moto.stop(),
    drill: ({ runbook: editRunbook, environment: editEnvironment, code, ...options } = {}) => ({
      ...options,
      // Muster hides every credential that it knows, and `test` stands in many a path.
      env: { ...moto.env, AWS_ACCESS_KEY_ID: 'AKIADRILL00000000001', AWS_SECRET_ACCESS_KEY: 'c4n4ry-of-the-rebuild', ...options.env },
      args: ['--answers', 'answers.yaml', ...(options.args ?? [])],
      set: {
        cnpg: 'terraform_data.release["cloudnative-pg"]',
        database: 'terraform_data.release["ha-supabase-db"]',
        application: 'terraform_data.release["supabase"]',
        ...options.set,
      },
      async documents(folder) {
        const estate = join(folder, 'estate');
        cpSync(join(root, 'test/fixtures/estate'), estate, { recursive: true });
        await code?.(estate);
        commit(estate, 'Build the estate');
        const runbook = parse(await readFile(join(root, 'runbooks/terragrunt-rebuild.yaml'), 'utf8')) as Runbook;
        const environment: Environment = {
          apiVersion: 'muster/v1',
          kind: 'Environment',
          metadata: { name: 'rebuild', sandbox: true },
          connections: {
            stack: { kind: 'infrastructure', role: 'target', provision: 'terragrunt', with: { directory: estate, binary: program, env: { STATE_BUCKET: bucket }, mayDestroy: ['*'] } },
            state: { kind: 'bucket', role: 'target', provision: 's3-bucket', with: { bucket, bootstrap: true } },
          },
          boundary: { buckets: [bucket], commands: [program, 'terraform'] },
          watch: { required: ['terraform'], settle: '0' },
          runbooks: 'any',
          stableFor: '1s',
        };
        editRunbook?.(runbook);
        editEnvironment?.(environment);
        await writeFile(join(folder, 'answers.yaml'), stringify(answers));
        const files: [string, string] = [join(folder, 'runbook.yaml'), join(folder, 'environment.yaml')];
        await writeFile(files[0], stringify(runbook, { aliasDuplicateObjects: false }).replaceAll('{{ folder }}', folder));
        await writeFile(files[1], stringify(environment, { aliasDuplicateObjects: false }));
        return files;
      },
    }),
  };
}

/** Names of the buckets that there are. */
export async function bucketsOf(moto: Moto): Promise<string[]> {
  const text = await (await fetch(moto.endpoint, { headers: { authorization: 'AWS4-HMAC-SHA256 Credential=test/20260101/eu-central-1/s3/aws4_request, SignedHeaders=host, Signature=0' } })).text();
  return [...text.matchAll(/<Name>([^<]+)<\/Name>/g)].map(([, name = '']) => name);
}

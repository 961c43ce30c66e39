import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { parse, stringify } from 'yaml';
import type { Environment, Runbook, RunbookStep } from '../../src/engine/documents.js';
import { byHand, startStateStore, type StateStore } from '../components/terraform/aws.js';
import { running, writeCode } from '../components/terraform/code.js';
import { root, type DrillOptions } from './harness.js';

export interface RollbackOptions extends Omit<DrillOptions, 'runbook' | 'environment' | 'documents'> {
  readonly runbook?: (runbook: Runbook) => void;
  readonly environment?: (environment: Environment) => void;
  /** Edits the code after it was committed. */
  readonly code?: (folder: string) => void;
  /** A DynamoDB table holds the lock. */
  readonly table?: string;
}

/** A step that waits until `resume` is called. */
export const pause = { id: 'pause', phase: 'restore', uses: 'exec', with: { shell: 'sh', script: 'until test -e "$1/go"; do sleep 0.05; done', argv: ['{{ folder }}'], effect: 'read' } } as const satisfies RunbookStep;

export const resume = (folder: string): Promise<void> => writeFile(join(folder, 'go'), '');

/** runbooks/terraform-state-rollback.yaml on an application that really runs, with its state on moto. */
export interface Infrastructure {
  readonly store: StateStore;
  /** Each drill has code, state and application of its own. */
  drill(options?: RollbackOptions): DrillOptions & { readonly key: string };
  /** Terraform as a colleague runs it on the code below `folder`. */
  byHand(folder: string, ...args: string[]): Promise<string>;
  stop(): Promise<void>;
}

export async function startInfrastructure(): Promise<Infrastructure> {
  const store = await startStateStore();
  // Muster hides every credential that it knows, and `test` stands in many a path.
  const env = { ...store.env, AWS_ACCESS_KEY_ID: 'AKIADRILL00000000002', AWS_SECRET_ACCESS_KEY: 'c4n4ry-of-the-rollback' };
  let drills = 0;
  return {
    store,
    stop: () => store.stop(),
    async byHand(folder, ...args) {
      const [directory, data] = [join(folder, 'code'), join(folder, 'by-hand')];
      const values = { ...env, TF_VAR_place: join(folder, 'running') };
      await byHand(directory, data, values, 'init', '-input=false');
      return byHand(directory, data, values, ...args);
    },
    drill({ runbook: editRunbook, environment: editEnvironment, code, table, ...options } = {}) {
      const key = `drill-${(drills += 1)}/terraform.tfstate`;
      return {
        ...options,
        key,
        env: { ...env, ...options.env },
        async documents(folder) {
          const directory = writeCode(join(folder, 'code'), { bucket: 'states', key, body: running, ...(table === undefined ? {} : { table }) });
          code?.(directory);
          const runbook = parse(await readFile(join(root, 'runbooks/terraform-state-rollback.yaml'), 'utf8')) as Runbook;
          const environment: Environment = {
            apiVersion: 'muster/v1',
            kind: 'Environment',
            metadata: { name: 'infrastructure', sandbox: true },
            connections: {
              infra: { kind: 'infrastructure', role: 'source', provision: 'terraform', with: { directory: 'code', env: { TF_VAR_place: join(folder, 'running') }, mayDestroy: ['terraform_data.app'] } },
              states: { kind: 'bucket', role: 'source', provision: 's3-bucket', with: { bucket: 'states' } },
            },
            boundary: { commands: ['terraform', 'sh'], buckets: [`states/${key.split('/')[0]}`] },
            watch: { required: ['terraform'], settle: '0' },
            runbooks: 'any',
            stableFor: '1s',
          };
          editRunbook?.(runbook);
          editEnvironment?.(environment);
          const files: [string, string] = [join(folder, 'runbook.yaml'), join(folder, 'environment.yaml')];
          await writeFile(files[0], stringify(runbook, { aliasDuplicateObjects: false }).replaceAll('{{ folder }}', folder));
          await writeFile(files[1], stringify(environment, { aliasDuplicateObjects: false }));
          return files;
        },
      };
    },
  };
}

import { existsSync, readFileSync, readdirSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { dirname, join, relative, resolve, sep } from 'node:path';
import { UsageError, messageOf } from '../engine/errors.js';
import { didYouMean } from '../engine/load/nearest.js';
import { makeFolder } from '../engine/make-folder.js';
import { packageRoot } from '../engine/package-root.js';
import type { CommandIo } from './io.js';

export interface InitArgs {
  readonly runbook: string;
  /** Where to; the current folder by default. */
  readonly folder?: string | undefined;
}

/** `muster init RUNBOOK [FOLDER]`: 0, or 2 when there is no such runbook or a file is in the way. Overwrites nothing. Throws UsageError. */
export async function init({ runbook: name, folder = '.' }: InitArgs, io: CommandIo): Promise<number> {
  const source = join(packageRoot(), 'runbooks');
  const names = readdirSync(source).filter((file) => file.endsWith('.yaml')).map((file) => file.slice(0, -5));
  const refuse = (message: string): number => {
    io.stderr(`${message}\n`);
    return 2;
  };
  if (!names.includes(name)) return refuse(`there is no runbook "${name}"; ${didYouMean(name, names) ?? `there are: ${names.join(', ')}`}`);

  const files = [
    { from: join(source, `${name}.yaml`), to: join(folder, `${name}.yaml`) },
    { from: join(source, 'environments', 'starter.yaml'), to: join(folder, 'environments', 'sandbox.yaml') },
  ];
  const taken = files.filter(({ to }) => existsSync(resolve(io.cwd, to)));
  if (taken.length > 0) return refuse(`${taken.map(({ to }) => to).join(' and ')} ${taken.length === 1 ? 'exists' : 'exist'} already; nothing was written. Give another folder: muster init ${name} FOLDER`);
  for (const { from, to } of files) {
    const target = resolve(io.cwd, to);
    try {
      await makeFolder(dirname(target), 0o777);
      await writeFile(target, withSchemas(readFileSync(from, 'utf8'), dirname(target)), { flag: 'wx' });
    } catch (error) {
      throw new UsageError(`cannot write ${to}: ${messageOf(error)}. Give another folder: muster init ${name} FOLDER`, { cause: error });
    }
  }

  const [runbook, environment] = files.map(({ to }) => to);
  io.stdout(`wrote ${runbook}\nwrote ${environment}

Next:
  muster validate ${runbook} ${environment}
  muster plan ${runbook} --env ${environment}     shows what would be done; touches nothing
  muster run ${runbook} --env ${environment}      breaks, restores and measures, on this machine only

The environment's comments say how to point the drill at your own systems.
Commit both files: outside a sandbox a drill of an uncommitted runbook does not pass.
`);
  return 0;
}

/** Editors find the schemas where this package is. */
function withSchemas(text: string, from: string): string {
  const schemas = relative(from, join(packageRoot(), 'schemas')).split(sep).join('/');
  return text.replace(/(\$schema=)\S*\/schemas(?=\/)/, `$1${schemas}`);
}

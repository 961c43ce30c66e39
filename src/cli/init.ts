import { existsSync, mkdirSync, readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { dirname, join, relative, resolve, sep } from 'node:path';
import { didYouMean } from '../engine/load/nearest.js';
import { packageRoot } from '../engine/package-root.js';
import type { CommandIo } from './io.js';

const usage = 'usage: muster init RUNBOOK [DIR]\n\nCopies a runbook and a commented environment to start from; overwrites nothing.\n';

/** `muster init`: 0, or 2 when there is no such runbook or a file is in the way. */
export function init(args: readonly string[], io: CommandIo): Promise<number> {
  return Promise.resolve(copy(args, io));
}

function copy(args: readonly string[], io: CommandIo): number {
  if (args.includes('--help') || args.includes('-h')) {
    io.stdout(usage);
    return 0;
  }
  const source = join(packageRoot(), 'runbooks');
  const names = readdirSync(source).filter((file) => file.endsWith('.yaml')).map((file) => file.slice(0, -5));
  const refuse = (message: string): number => {
    io.stderr(`${message}\n`);
    return 2;
  };
  const [name, dir = '.', ...more] = args;
  const option = args.find((arg) => arg.startsWith('-'));
  if (option !== undefined) return refuse(`muster init knows no option ${option}\n${usage}`);
  if (name === undefined || more.length > 0) return refuse(`${usage}\nRunbooks: ${names.join(', ')}`);
  if (!names.includes(name)) return refuse(`there is no runbook "${name}"; ${didYouMean(name, names) ?? `there are: ${names.join(', ')}`}`);

  const files = [
    { from: join(source, `${name}.yaml`), to: join(dir, `${name}.yaml`) },
    { from: join(source, 'environments', 'starter.yaml'), to: join(dir, 'environments', 'sandbox.yaml') },
  ];
  const taken = files.filter(({ to }) => existsSync(resolve(io.cwd, to)));
  if (taken.length > 0) return refuse(`${taken.map(({ to }) => to).join(' and ')} ${taken.length === 1 ? 'exists' : 'exist'} already; nothing was written. Give another folder: muster init ${name} DIR`);
  for (const { from, to } of files) {
    const target = resolve(io.cwd, to);
    mkdirSync(dirname(target), { recursive: true });
    writeFileSync(target, withSchemas(readFileSync(from, 'utf8'), dirname(target)), { flag: 'wx' });
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

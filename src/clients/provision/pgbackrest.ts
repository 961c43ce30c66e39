import { mkdir, readFile, stat } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { Type } from 'typebox';
import { defineProvisioner } from '../../engine/define-step.js';
import { messageOf, StepError } from '../../engine/errors.js';
import { strict } from '../../engine/schema.js';
import { giveTo, writeOwned } from '../postgres/conf.js';
import type { BackupsDetails } from '../postgres/details.js';
import { ownerOfServers } from '../postgres/owner.js';
import { findProgram } from '../process/which.js';
import { checkRepository } from './lib/check-repository.js';
import { makePlace, removePlace } from './lib/place.js';
import { User } from './lib/inputs.js';

export const provisioner = defineProvisioner({
  type: 'pgbackrest',
  kinds: ['postgres-backups'],
  summary: 'A pgBackRest stanza: one of an existing installation, or a repository of its own on this machine.',
  input: Type.Object(
    {
      stanza: Type.String({ pattern: '^[A-Za-z0-9][A-Za-z0-9_-]*$' }),
      config: Type.Optional(Type.String({ pattern: '^/', description: 'Configuration file of an existing installation; default: a repository of its own that goes with the run' })),
      command: Type.Optional(Type.String({ pattern: '^/', description: 'Absolute path of pgbackrest; default: looked up on PATH' })),
      user: Type.Optional(User),
    },
    strict,
  ),
  cleanups: { remove: removePlace('Removes the repository') },
  protects: (input) => (input.config === undefined ? [] : [`pgbackrest:${resolve(input.config)}:${input.stanza}`]),
  plan(input) {
    return input.config === undefined
      ? { does: `Makes a pgBackRest repository with the stanza ${input.stanza}`, calls: [`pgbackrest --stanza=${input.stanza} stanza-create`], undo: ['Removes the repository'] }
      : { does: `Uses the pgBackRest stanza ${input.stanza} of ${input.config}`, calls: [] };
  },
  permissions: (input) => [{ system: 'command', command: input.command ?? 'pgbackrest' }, ...(input.config === undefined ? [] : [{ system: 'path', path: input.config, access: 'read' } as const])],
  existing: async (input) => (input.config === undefined ? undefined : existing(input.stanza, input.config, await programOf(input.command), input.user)),
  async preflight(input, ctx) {
    const command = await programOf(input.command);
    const { stdout } = await ctx.ports.process.run([command, 'version'], { effect: 'read' }, ctx.signal);
    return [{ id: 'tool', result: 'passed', detail: `${stdout.trim()} at ${command}` }, ...(await checkRepository(ctx))];
  },
  async provision(input, ctx) {
    const command = await programOf(input.command);
    if (input.config !== undefined) return existing(input.stanza, input.config, command, input.user);
    const owner = await ownerOfServers(input.user);
    const { path } = await makePlace(ctx, owner, 'pgbackrest/remove');
    for (const part of ['repository', 'lock', 'spool']) {
      await mkdir(join(path, part), { mode: 0o700 });
      await giveTo(join(path, part), owner);
    }
    const configFile = join(path, 'pgbackrest.conf');
    await writeOwned(configFile, configOf(path, input.stanza), owner, 0o644);
    return { provider: 'pgbackrest', path: join(path, 'repository'), stanza: input.stanza, configFile, command, ...owner } satisfies BackupsDetails;
  },
});

async function programOf(given: string | undefined): Promise<string> {
  const command = await findProgram(given ?? 'pgbackrest', '/');
  if (command === undefined) throw new StepError('command-not-found', `there is no ${given ?? 'pgbackrest on PATH'}`, { hint: 'Install pgBackRest 2.41 or later (Debian: apt-get install pgbackrest).' });
  return command;
}

/** Where the cluster is stands on each command line: the source and the copy share the stanza. */
function configOf(path: string, stanza: string): string {
  return `[global]\nrepo1-path=${join(path, 'repository')}\nrepo1-retention-full=9999999\nlock-path=${join(path, 'lock')}\nspool-path=${join(path, 'spool')}\nlog-level-file=off\n\n[${stanza}]\n`;
}

/** Commands run as the user that owns the repository. */
async function existing(stanza: string, configFile: string, command: string, user: string | undefined): Promise<Record<string, unknown>> {
  let text: string;
  try {
    text = await readFile(configFile, 'utf8');
  } catch (error) {
    throw new StepError('no-repository', `the configuration of pgBackRest could not be read: ${messageOf(error)}`);
  }
  const path = /^\s*repo1?-path\s*=\s*(.+?)\s*$/m.exec(text)?.[1] ?? '/var/lib/pgbackrest';
  const facts = await stat(path).catch((error: unknown) => {
    throw new StepError('no-repository', `the repository ${path} that ${configFile} names could not be read: ${messageOf(error)}`, { hint: 'Muster reads repositories of type posix.' });
  });
  const owner = user !== undefined || process.geteuid?.() !== 0 || facts.uid === 0 ? await ownerOfServers(user) : { uid: facts.uid, gid: facts.gid };
  return { provider: 'pgbackrest', path, stanza, configFile, command, ...owner } satisfies BackupsDetails;
}

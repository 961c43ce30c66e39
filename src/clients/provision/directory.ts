import { lstat, mkdir } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { Type } from 'typebox';
import { defineProvisioner } from '../../engine/define-step.js';
import { StepError } from '../../engine/errors.js';
import { strict } from '../../engine/schema.js';
import { giveTo } from '../postgres/conf.js';
import type { BackupsDetails } from '../postgres/details.js';
import { ownerOfServers } from '../postgres/owner.js';
import { checkRepository } from './lib/check-repository.js';
import { makePlace, removePlace } from './lib/place.js';
import { User } from './lib/inputs.js';

export const provisioner = defineProvisioner({
  type: 'directory',
  kinds: ['postgres-backups'],
  summary: 'A folder with base backups (base/) and archived WAL (wal/): an existing one, or one of its own.',
  input: Type.Object(
    {
      path: Type.Optional(Type.String({ pattern: '^/', description: 'Existing folder with base/ and wal/; default: a folder of its own that goes with the run' })),
      user: Type.Optional(User),
    },
    strict,
  ),
  cleanups: { remove: removePlace('Removes the folder with backups and WAL') },
  protects: (input) => (input.path === undefined ? [] : [`directory:${resolve(input.path)}`]),
  plan(input) {
    return input.path === undefined
      ? { does: 'Makes a folder for base backups and archived WAL', calls: ['mkdir base wal'], undo: ['Removes the folder with backups and WAL'] }
      : { does: `Uses the backups and the archived WAL in ${input.path}`, calls: [] };
  },
  permissions: (input) => (input.path === undefined ? [] : [{ system: 'path', path: input.path, access: 'read' }]),
  existing: async (input) => (input.path === undefined ? undefined : { ...(await existing(input.path, input.user)) }),
  preflight: (_input, ctx) => checkRepository(ctx),
  async provision(input, ctx) {
    if (input.path !== undefined) return { ...(await existing(input.path, input.user)) };
    const owner = await ownerOfServers(input.user);
    const { path } = await makePlace(ctx, owner, 'directory/remove');
    for (const part of ['base', 'wal', 'incoming']) {
      await mkdir(join(path, part), { mode: 0o700 });
      await giveTo(join(path, part), owner);
    }
    return { provider: 'directory', path, ...owner } satisfies BackupsDetails;
  },
});

async function existing(path: string, user: string | undefined): Promise<BackupsDetails> {
  for (const part of ['base', 'wal']) {
    const facts = await lstat(join(path, part)).catch(() => undefined);
    if (facts?.isDirectory() !== true) throw new StepError('no-repository', `${path} has no folder ${part}/`, { hint: 'A directory repository holds base/ and wal/.' });
  }
  return { provider: 'directory', path, ...(await ownerOfServers(user)) };
}

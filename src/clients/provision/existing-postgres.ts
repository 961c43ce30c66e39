import { Type, type Static } from 'typebox';
import { defineProvisioner } from '../../engine/define-step.js';
import { literals, strict } from '../../engine/schema.js';
import type { PostgresDetails } from '../postgres/details.js';
import { checkServer } from './lib/check-server.js';

const input = Type.Object(
  {
    host: Type.String({ minLength: 1, description: 'Host name, address, or absolute folder of its socket' }),
    port: Type.Optional(Type.Integer({ minimum: 1, maximum: 65535, default: 5432 })),
    database: Type.String({ minLength: 1 }),
    user: Type.String({ minLength: 1 }),
    observer: Type.Optional(Type.String({ minLength: 1, description: 'Role that looks at a production server before and after the drill (its identity, its timeline); default `user`' })),
    tls: Type.Optional(literals(['disable', 'require', 'verify-full'], { default: 'disable', description: 'require encrypts only; verify-full also checks the certificate and the name' })),
    caFile: Type.Optional(Type.String({ pattern: '^/', description: 'PEM file of the certificate authority, for verify-full' })),
  },
  strict,
);

export const provisioner = defineProvisioner({
  type: 'existing-postgres',
  kinds: ['postgres'],
  summary: 'A PostgreSQL server that is there already. Passwords come from PGPASSWORD or the pgpass file.',
  input,
  protects: (input) => [`postgres:${input.host.toLowerCase()}:${input.port ?? 5432}`],
  plan(input) {
    return { does: `Uses the PostgreSQL server ${input.host}:${input.port ?? 5432} as it is`, calls: [] };
  },
  existing: (input) => Promise.resolve({ ...detailsOf(input) }),
  preflight: (_input, ctx) => checkServer(ctx),
  provision: (input) => Promise.resolve({ ...detailsOf(input) }),
});

function detailsOf(given: Static<typeof input>): PostgresDetails {
  return {
    host: given.host,
    port: given.port ?? 5432,
    database: given.database,
    user: given.user,
    ...(given.observer === undefined ? {} : { observer: given.observer }),
    ...(given.tls === undefined ? {} : { tls: given.tls }),
    ...(given.caFile === undefined ? {} : { caFile: given.caFile }),
  };
}

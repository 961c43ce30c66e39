import { Type } from 'typebox';
import type { PostgresAddress } from '../../../clients/postgres/port.js';
import { StepError } from '../../../engine/errors.js';
import { inWords } from '../../../engine/plannable.js';
import { ConnectionName, EndpointName } from '../../../engine/schema.js';

/** Input fields that the PostgreSQL types share, so that they read alike in every runbook. */
export const Server = (description = 'The PostgreSQL connection') => ConnectionName('postgres', description);
export const Repository = (description = 'Where backups and WAL live') => ConnectionName('postgres-backups', description);
export const Endpoint = (description = 'The address that clients use') => EndpointName(description);
export const Table = (description: string) => Type.String({ minLength: 1, maxLength: 127, description: `${description} \`name\` or \`schema.name\`.` });
export const Database = Type.Optional(Type.String({ minLength: 1, description: "Another database than the connection's own" }));
export const Lsn = Type.String({ pattern: '^[0-9A-F]{1,8}/[0-9A-F]{1,8}$' });
export const Digest = Type.Object({ rows: Type.Integer({ minimum: 0 }), checksum: Type.String() }, { additionalProperties: false });
export const Digests = (description: string) => Type.Record(Type.String(), Digest, { description });

/** `server` or `endpoint`, exactly one. Throws StepError `bad-input`. */
export function addressOf(input: { readonly server?: string; readonly endpoint?: string }): PostgresAddress {
  if (input.server !== undefined && input.endpoint === undefined) return { connection: input.server };
  if (input.endpoint !== undefined && input.server === undefined) return { endpoint: input.endpoint };
  throw new StepError('bad-input', 'give either `server` or `endpoint`, and only one of them');
}

/** The same at plan time, in words: `source` or `endpoint app`. */
export function showAddress(input: { readonly server?: unknown; readonly endpoint?: unknown }): string {
  if ((input.server === undefined) === (input.endpoint === undefined)) throw new StepError('bad-input', 'give either `server` or `endpoint`, and only one of them');
  return input.server === undefined ? `endpoint ${inWords(input.endpoint)}` : inWords(input.server);
}

/** The system of `changes` for a server or an endpoint. */
export function systemOf(input: { readonly server?: unknown; readonly endpoint?: unknown }): string {
  return input.server === undefined ? `endpoint:${inWords(input.endpoint)}` : `postgres:${inWords(input.server)}`;
}

import { Type, type Static } from 'typebox';
import { strict } from '../schema.js';

const Pattern = (description: string) => Type.Optional(Type.String({ minLength: 1, description: `${description} A regular expression (ECMAScript, unicode), found anywhere in the text.` }));

/** A change that is expected, and from whom. All patterns that are given must match. */
export const ExpectedActor = Type.Object(
  {
    name: Type.String({ minLength: 1, description: 'Stands in the bundle beside everything that it let through' }),
    system: Type.String({ minLength: 1, description: 'Where: `postgres` for every server, or one of them: `postgres:<connection>`' }),
    actor: Pattern('Who: application name and user, uid, author.'),
    object: Pattern('What is changed: `table orders`, `setting work_mem`.'),
    change: Pattern('How: `INSERT`, `ALTER SYSTEM`, `file added`.'),
  },
  strict,
);
export type ExpectedActor = Static<typeof ExpectedActor>;

/**
 * Who else may change something beside a drill: autovacuum, replication, the application. runbooks/profiles/<name>.yaml,
 * or a file beside the environment. What it lets through is printed and listed in the bundle.
 */
export const ProfileSchema = Type.Object(
  {
    apiVersion: Type.Literal('muster/v1'),
    kind: Type.Literal('Profile'),
    metadata: Type.Object({ name: Type.String({ pattern: '^[a-z][a-z0-9-]*$', maxLength: 63 }), title: Type.String({ minLength: 1 }) }, strict),
    expect: Type.Array(ExpectedActor, { minItems: 1 }),
  },
  { ...strict, $id: 'https://muster.invalid/schemas/profile.schema.json', title: 'Muster profile of expected changes' },
);
export type Profile = Static<typeof ProfileSchema>;

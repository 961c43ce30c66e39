import { Type, type TSchema } from 'typebox';
import { literals, nullable, strict } from '../schema.js';

/**
 * What is said of infrastructure that is built from code. A unit is one state: a Terragrunt unit by its path from the
 * connection's folder on, `.` for plain Terraform. Names of attributes only, never their values.
 */
const Count = Type.Integer({ minimum: 0 });
const Unit = Type.String({ minLength: 1 });

const Difference = Type.Object(
  { address: Type.String(), actions: Type.Array(Type.String(), { description: 'create, update, delete, or both for a replacement' }), attributes: Type.Array(Type.String(), { description: 'Paths of what differs' }) },
  strict,
);

export const infrastructureKinds = {
  'infrastructure-code': Type.Object(
    {
      connection: Type.String(),
      commit: nullable(Type.String({ description: 'HEAD of the repository that holds the code; null where there is none' })),
      differing: Type.Array(Type.String(), { description: 'Files below the folder that are not what HEAD has' }),
      digest: Type.String({ description: 'SHA-256 over the sorted lines "sha256  path" of the code' }),
      units: Type.Array(Type.Object({ unit: Unit, after: Type.Array(Unit) }, strict), { description: 'All of them, with what each depends on' }),
    },
    strict,
  ),
  'infrastructure-plan': Type.Object(
    {
      connection: Type.String(),
      plan: Type.String({ description: 'By which an apply names it' }),
      destroys: Type.Boolean({ description: 'It was made to take everything down' }),
      env: Type.Record(Type.String(), Type.String()),
      targets: Type.Array(Type.String()),
      units: Type.Array(
        Type.Object(
          {
            unit: Unit,
            sha256: Type.String({ description: 'Of the saved plan' }),
            create: Count,
            update: Count,
            replace: Count,
            destroy: Count,
            gone: Type.Array(Type.String(), { description: 'Address of everything that it would destroy or replace' }),
            provisional: Type.Boolean({ description: 'It stands on outputs that do not exist yet, and is made again once they do' }),
          },
          strict,
        ),
      ),
    },
    strict,
  ),
  'infrastructure-state': Type.Object(
    {
      connection: Type.String(),
      when: literals(['before', 'applied', 'destroyed']),
      units: Type.Array(Type.Object({ unit: Unit, lineage: nullable(Type.String()), serial: nullable(Count), resources: Count }, strict), { description: 'lineage and serial are null where there is no state' }),
    },
    strict,
  ),
  drift: Type.Object(
    {
      connection: Type.String(),
      units: Type.Array(
        Type.Object({ unit: Unit, exitCode: Type.Integer({ minimum: 0, maximum: 2, description: 'Of plan -detailed-exitcode with refresh: 0 no difference, 2 differences, 1 it could not be told' }), differences: Type.Array(Difference), outputs: Type.Array(Type.String(), { description: 'Outputs that differ' }), detail: Type.Optional(Type.String()) }, strict),
        { minItems: 1 },
      ),
    },
    strict,
  ),
} as const satisfies Record<string, TSchema>;

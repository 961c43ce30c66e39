import { Type } from 'typebox';

/** Name of an environment variable. */
export const Variable = '^[A-Za-z_][A-Za-z0-9_]*$';

/** `secretEnv` of a provisioner whose commands need credentials. */
export const SecretEnv = Type.Optional(Type.Array(Type.String({ pattern: Variable }), { description: 'Variables of the environment that Muster was started in, passed on; their values are redacted everywhere' }));

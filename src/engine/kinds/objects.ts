import { Type, type TSchema } from 'typebox';
import { literals, nullable, strict } from '../schema.js';

const Sha256 = Type.String({ pattern: '^[0-9a-f]{64}$' });

/** What an object store says of one object. Never its content. */
export const objectKinds = {
  'object-versions': Type.Object(
    {
      connection: Type.String(),
      bucket: Type.String(),
      key: Type.String({ description: 'Whole key' }),
      versioning: literals(['enabled', 'suspended', 'off']),
      versions: Type.Integer({ minimum: 0, description: 'How many there are, without delete markers' }),
      deleteMarkers: Type.Integer({ minimum: 0 }),
      newest: Type.Array(Type.Object({ version: Type.String(), at: Type.String(), size: Type.Integer({ minimum: 0 }), deleteMarker: Type.Boolean() }, strict), { description: 'At most 100 of them, newest first; the first one is what counts now' }),
      asked: nullable(
        Type.Object(
          {
            version: nullable(Type.String()),
            at: nullable(Type.String({ description: 'The version that counted at this time' })),
            found: nullable(Type.Object({ version: Type.String(), at: Type.String(), size: Type.Integer({ minimum: 0 }) }, strict)),
            sha256: nullable(Type.Object({ read: Sha256, recorded: nullable(Sha256), expected: nullable(Sha256) }, { ...strict, description: 'Of the bytes as they are now, as S3 recorded it when they were written, and as the runbook expects it' })),
          },
          { ...strict, description: 'One version that was looked at' },
        ),
      ),
    },
    strict,
  ),
} as const satisfies Record<string, TSchema>;

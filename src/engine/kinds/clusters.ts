import { Type, type TSchema } from 'typebox';
import { nullable, strict } from '../schema.js';

/**
 * What is said of a database cluster with a primary and replicas, and of who runs it. Every record is stamped with the run's own
 * clock when the news came; what the cluster's members stamp themselves comes from other clocks and is kept as they wrote it.
 */
const Instant = Type.Object({ at: Type.String(), mono: Type.String({ pattern: '^\\d+$' }) }, strict);

export const clusterKinds = {
  'cluster-state': Type.Object(
    {
      cluster: Type.String({ description: 'Whose state, in the words of its system: `cluster shop/orders of k8s`' }),
      seen: { ...Instant, description: 'When the news of it came' },
      revision: Type.String({ description: "The system's own number of this state" }),
      phase: nullable(Type.String()),
      reason: nullable(Type.String()),
      primary: nullable(Type.String({ description: 'The member that is the primary, as the cluster says' })),
      target: nullable(Type.String({ description: 'The member that is to be the primary; null while none is elected' })),
      members: Type.Integer({ minimum: 0, description: 'Wanted' }),
      ready: Type.Integer({ minimum: 0 }),
      timeline: nullable(Type.Integer({ minimum: 1 })),
      stamps: Type.Record(Type.String(), Type.String(), { description: 'Times that its members wrote, each by a clock of its own' }),
    },
    strict,
  ),
  archiving: Type.Object(
    {
      connection: Type.String(),
      by: Type.String({ description: 'What decides where the server archives: an operator, in the words of its system' }),
      to: nullable(Type.String({ description: 'Where its WAL goes; null: archive_command goes nowhere' })),
      uid: Type.String({ description: 'Of the object that says so' }),
      revision: Type.String({ description: 'And which state of it' }),
    },
    strict,
  ),
} as const satisfies Record<string, TSchema>;

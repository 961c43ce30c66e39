import { Type, type Static } from 'typebox';
import { literals, strict } from './schema.js';

/** Documents that people keep beside their bundles: findings.yaml and control mappings. */
const FindingId = Type.String({ pattern: '^F-[0-9a-f]{12}$', description: 'As `muster findings` prints it' });
const Day = Type.String({ pattern: '^\\d{4}-\\d\\d-\\d\\d$', description: 'A day, such as "2026-12-31"; quoted, because YAML would make it something else' });

export const FindingsSchema = Type.Object(
  {
    apiVersion: Type.Literal('muster/v1'),
    kind: Type.Literal('Findings'),
    findings: Type.Array(
      Type.Object(
        {
          id: FindingId,
          owner: Type.Optional(Type.String({ minLength: 1, description: 'Who sees to it' })),
          due: Type.Optional(Day),
          ticket: Type.Optional(Type.String({ minLength: 1 })),
          severity: Type.Optional(literals(['low', 'medium', 'high', 'critical'])),
          note: Type.Optional(Type.String()),
          closedBy: Type.Optional(Type.String({ pattern: '^\\d{8}T\\d{6}Z-[a-z][a-z0-9-]*-[0-9a-f]{6}$', description: 'The run of a later drill of the same runbook that passed' })),
        },
        strict,
      ),
    ),
  },
  { ...strict, $id: 'https://muster.invalid/schemas/findings.schema.json', title: 'Muster findings' },
);

export const ControlMappingSchema = Type.Object(
  {
    apiVersion: Type.Literal('muster/v1'),
    kind: Type.Literal('ControlMapping'),
    metadata: Type.Object(
      {
        framework: Type.String({ pattern: '^[a-z][a-z0-9-]*$', description: 'What stands before the slash of a control: soc2' }),
        title: Type.String({ minLength: 1 }),
        source: Type.String({ minLength: 1, description: 'The text that it was made from' }),
        checked: literals(['primary', 'secondary'], { description: 'primary: against the text itself; secondary: against what others say of it' }),
        note: Type.Optional(Type.String()),
      },
      strict,
    ),
    controls: Type.Array(
      Type.Object(
        {
          id: Type.String({ pattern: '^[a-z][a-z0-9-]*/\\S(.*\\S)?$', description: 'As runbooks name it: soc2/A1.3' }),
          title: Type.String({ minLength: 1 }),
          asks: Type.String({ minLength: 1, description: "What the test's record must show, in our words" }),
          shows: Type.Array(Type.String({ minLength: 1 }), { description: 'What a bundle holds of that' }),
          not: Type.Array(Type.String({ minLength: 1 }), { description: 'What no bundle shows, so that somebody else must' }),
          runbooks: Type.Optional(Type.Array(Type.String({ minLength: 1 }), { description: 'Runbooks that are a record for it although they do not name it' })),
        },
        strict,
      ),
      { minItems: 1 },
    ),
  },
  { ...strict, $id: 'https://muster.invalid/schemas/controls.schema.json', title: 'Muster control mapping' },
);

export type Findings = Static<typeof FindingsSchema>;
export type ControlMapping = Static<typeof ControlMappingSchema>;

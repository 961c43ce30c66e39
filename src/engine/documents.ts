import { Type, type Static } from 'typebox';
import { phases } from './define-step.js';
import { evidenceKindNames } from './kinds/index.js';
import { journalKindNames } from './kinds/journal.js';
import { strict, literals, Duration } from './schema.js';

/** Runbook and Environment as their authors write them (design: "A runbook", "An environment"). */
const Name = (description: string) => Type.String({ pattern: '^[a-z][a-z0-9-]*$', maxLength: 63, description });
const With = Type.Record(Type.String(), Type.Unknown(), { description: 'Input of the type named by `uses`' });

const Step = Type.Object(
  {
    id: Name('Unique in the runbook; later steps use {{ steps.<id>.<field> }}'),
    title: Type.Optional(Type.String()),
    phase: literals(phases, { description: 'Phases never go backwards' }),
    uses: Type.String({ description: 'The step type' }),
    with: Type.Optional(With),
    timeout: Type.Optional(Duration('How long one attempt may take; default 10m.')),
    totalTimeout: Type.Optional(Duration('How long all attempts together may take; default: no bound beyond the attempts.')),
    retry: Type.Optional(
      Type.Object({ attempts: Type.Integer({ minimum: 1, maximum: 100, default: 1 }), delay: Type.Optional(Duration('Wait between attempts; default 1s.')) }, strict),
    ),
    gate: Type.Optional(Type.Boolean({ description: 'verify only: recovery counts as done no earlier than the end of this step', default: false })),
  },
  { ...strict, description: 'One step' },
);

/** Branches hold plain steps; a parallel block inside a branch is refused. */
const Parallel = Type.Object(
  { parallel: Type.Record(Type.String({ pattern: '^[a-z][a-z0-9-]*$' }), Type.Array(Step, { minItems: 1 }), { minProperties: 1, description: 'Named branches side by side; the first failure cancels the others' }) },
  strict,
);

const InputSpec = Type.Object(
  {
    type: literals(['string', 'integer', 'number', 'boolean', 'duration']),
    description: Type.Optional(Type.String()),
    default: Type.Optional(Type.Union([Type.String(), Type.Number(), Type.Boolean()])),
    enum: Type.Optional(Type.Array(Type.Union([Type.String(), Type.Number()]), { minItems: 1 })),
    minimum: Type.Optional(Type.Number()),
    maximum: Type.Optional(Type.Number()),
    pattern: Type.Optional(Type.String()),
    'x-sensitive': Type.Optional(Type.Boolean({ description: 'Redacted everywhere' })),
  },
  strict,
);

export const RunbookSchema = Type.Object(
  {
    apiVersion: Type.Literal('muster/v1'),
    kind: Type.Literal('Runbook'),
    metadata: Type.Object(
      {
        name: Name('Name of the drill'),
        version: Type.String({ pattern: '^\\d+\\.\\d+\\.\\d+(-[0-9A-Za-z.-]+)?$', description: 'Semantic version' }),
        title: Type.String({ minLength: 1 }),
        description: Type.Optional(Type.String()),
        owner: Type.String({ minLength: 1 }),
        cadence: Type.Optional(literals(['weekly', 'monthly', 'quarterly', 'half-yearly', 'yearly'])),
        controls: Type.Optional(Type.Array(Type.String())),
      },
      strict,
    ),
    objectives: Type.Object(
      {
        rto: Type.Optional(Duration('Recovery time objective.')),
        rpo: Type.Optional(Duration('Recovery point objective; 0 means that no acknowledged row is lost.')),
        approved: Type.Optional(
          Type.Object(
            { by: Type.String({ minLength: 1 }), on: Type.String({ pattern: '^\\d{4}-\\d\\d-\\d\\d$', description: 'A day, in quotes: "2026-01-31"' }), in: Type.Optional(Type.String({ description: 'Where that is written: a ticket, minutes' })) },
            { ...strict, description: 'Who in the business agreed to these objectives; the report shows it' },
          ),
        ),
      },
      strict,
    ),
    fault: literals(['injected', 'declared', 'planned']),
    preflight: Type.Optional(literals(['known', 'complete'], { default: 'known', description: 'complete: a run is refused as well when a preflight check could not run' })),
    requires: Type.Record(Type.String({ pattern: '^[a-z][a-z0-9-]*$' }), Type.String({ description: 'Connection kind, or `endpoint`' })),
    inputs: Type.Optional(Type.Record(Type.String({ pattern: '^[a-z][A-Za-z0-9_]*$' }), InputSpec)),
    probes: Type.Optional(Type.Record(Type.String({ pattern: '^[a-z][a-z0-9-]*$' }), Type.Object({ uses: Type.String(), with: Type.Optional(With) }, strict))),
    steps: Type.Array(Type.Union([Step, Parallel]), { minItems: 1 }),
    cleanup: Type.Optional(Type.Array(Type.Omit(Step, ['phase', 'gate']), { description: 'Extra steps that always run, after the registered cleanups' })),
    evidence: Type.Optional(Type.Object({ require: Type.Array(literals([...evidenceKindNames, ...journalKindNames])) }, strict)),
  },
  { ...strict, $id: 'https://muster.invalid/schemas/runbook.schema.json', title: 'Muster runbook' },
);

const Connection = Type.Object(
  {
    kind: Type.String({ description: 'postgres, postgres-backups, ...' }),
    role: literals(['production', 'source', 'target'], { description: 'production is read-only for every step and probe; source may be broken; target is where we restore' }),
    provision: Type.String({ description: 'How it comes to be: embedded-postgres, existing, ...' }),
    with: Type.Optional(Type.Record(Type.String(), Type.Unknown())),
  },
  strict,
);

const Endpoint = Type.Object(
  {
    provision: literals(['forwarder', 'existing'], { description: 'forwarder: a TCP forwarder of ours; existing: an address that clients use, its own or that of the connection in `to`' }),
    to: Type.Optional(Type.String({ description: 'The connection behind it at the start; a forwarder may start with none' })),
    host: Type.Optional(Type.String()),
    port: Type.Optional(Type.Integer({ minimum: 0, maximum: 65535 })),
  },
  strict,
);

/** Account, regions and the tag of all that a drill may alter there. */
export const AwsBoundary = Type.Object(
  {
    account: Type.String({ pattern: '^\\d{12}$', description: 'Twelve digits, in quotes' }),
    regions: Type.Array(Type.String({ pattern: '^[a-z]{2}(-[a-z]+)+-\\d$' }), { minItems: 1 }),
    tag: Type.Object({ key: Type.String({ minLength: 1 }), value: Type.String() }, { ...strict, description: 'What a drill may alter bears it' }),
  },
  strict,
);

export const EnvironmentSchema = Type.Object(
  {
    apiVersion: Type.Literal('muster/v1'),
    kind: Type.Literal('Environment'),
    metadata: Type.Object({ name: Name('Name of the environment'), title: Type.Optional(Type.String()), sandbox: Type.Optional(Type.Boolean({ description: 'Everything in it is made for the drill and taken down', default: false })) }, strict),
    connections: Type.Record(Type.String({ pattern: '^[a-z][a-z0-9-]*$' }), Connection),
    endpoints: Type.Optional(Type.Record(Type.String({ pattern: '^[a-z][a-z0-9-]*$' }), Endpoint)),
    boundary: Type.Object(
      {
        hosts: Type.Optional(Type.Array(Type.String(), { description: 'host or host:port that a drill may connect to' })),
        directories: Type.Optional(Type.Array(Type.String(), { description: 'Absolute folders that a drill may write below' })),
        aws: Type.Optional(Type.Array(AwsBoundary, { description: 'AWS accounts and regions that a drill may call, and the tag of what it may alter there' })),
        commands: Type.Optional(Type.Array(Type.String(), { description: 'Programs that steps may run: a bare name is looked up on PATH once, or an absolute path' })),
        kubernetes: Type.Optional(
          Type.Array(
            Type.Object(
              {
                context: Type.String({ minLength: 1, description: 'Name of the kubeconfig context; the current context is never used' }),
                server: Type.Optional(Type.String({ pattern: '^https?://', description: 'URL of the API server that the context must lead to' })),
                uid: Type.Optional(Type.String({ minLength: 1, description: 'uid of the namespace kube-system, which tells clusters apart (kubectl get namespace kube-system -o jsonpath={.metadata.uid})' })),
                namespaces: Type.Array(Type.String({ pattern: '^[a-z0-9]([a-z0-9-]*[a-z0-9])?$' }), { description: 'Namespaces that a drill may touch' }),
                cluster: Type.Optional(Type.Array(Type.String({ pattern: '^[a-z][a-z0-9.-]*(/.+)?$' }), { description: 'Cluster-scoped objects that a drill may touch: a plural with its group (nodes, storageclasses.storage.k8s.io), or one with names (persistentvolumes/muster-*)' })),
              },
              strict,
            ),
            { description: 'Clusters, namespaces and cluster-scoped objects that a drill may touch' },
          ),
        ),
        buckets: Type.Optional(Type.Array(Type.String({ pattern: '^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9](/.+)?$' }), { description: 'S3 buckets that a drill may reach: bucket or bucket/prefix' })),
      },
      strict,
    ),
    production: Type.Optional(
      Type.Object(
        {
          machine: Type.Optional(Type.String({ description: 'Its class: db.r6g.4xlarge, 16 vCPU, 128 GiB' })),
          data: Type.Optional(Type.String({ description: 'How much data it holds: 1.2 TB' })),
          version: Type.Optional(Type.String({ description: 'What runs there: PostgreSQL 18.4' })),
        },
        { ...strict, description: 'What the report sets beside the systems of the drill, where no connection of role production says it' },
      ),
    ),
    forbidden: Type.Optional(Type.Array(Type.String({ pattern: '^.+:\\d+$' }), { description: 'host:port that must be unreachable' })),
    watch: Type.Optional(
      Type.Object(
        {
          required: Type.Optional(Type.Array(Type.String(), { description: 'Watchers whose silence would be a hole in the proof: postgres, directory, git' })),
          advisory: Type.Optional(Type.Array(Type.String(), { description: 'Watchers whose gaps do not count' })),
          profiles: Type.Optional(Type.Array(Type.String(), { description: 'Whose changes are expected: a profile that ships with Muster by its name, or a file by its path from here (./profiles/shop.yaml)' })),
          settle: Type.Optional(Duration('How long to wait for late trails; default 2s.')),
          with: Type.Optional(Type.Record(Type.String(), With, { description: 'Input of a watcher, by its name' })),
        },
        strict,
      ),
    ),
    approvals: Type.Optional(
      Type.Object(
        {
          required: Type.Integer({ minimum: 0, description: 'How many people' }),
          by: Type.Optional(Type.Array(Type.String(), { description: 'Principals of allowedSigners who may approve; default: all of them' })),
          operatorMayApprove: Type.Optional(Type.Boolean({ description: 'Does the approval of whoever runs the drill count? Default: no' })),
          allowedSigners: Type.Optional(Type.String({ minLength: 1, description: "File of keys (ssh-keygen's allowed_signers), from this document's folder on: says whose key an approval was signed with" })),
        },
        { ...strict, description: 'Who must have approved a plan (`muster approve`) before it may be run' },
      ),
    ),
    runbooks: Type.Optional(literals(['committed', 'any'], { default: 'committed' })),
    stableFor: Type.Optional(Duration('How long reads and writes must stay healthy; default 30s.')),
    sinks: Type.Optional(
      Type.Array(
        Type.Object(
          {
            type: literals(['otel', 'webhook'], { description: "otel: a trace of the drill, to where OpenTelemetry's own variables say (OTEL_EXPORTER_OTLP_ENDPOINT); webhook: a message, to Slack or whatever takes its form" }),
            urlFrom: Type.Optional(Type.String({ pattern: '^[A-Z_][A-Z0-9_]*$', description: 'webhook: the environment variable that holds its address, which is a secret' })),
            format: Type.Optional(literals(['slack', 'json'], { description: 'webhook: default slack' })),
            when: Type.Optional(literals(['always', 'not-passed'], { description: 'Default always' })),
          },
          strict,
        ),
        { description: 'Who is told of a drill once its bundle is written. None of them changes a verdict; what was not delivered is listed' },
      ),
    ),
    evidence: Type.Optional(
      Type.Object(
        {
          store: Type.Optional(
            Type.String({
              pattern: '^(s3://[a-z0-9][a-z0-9.-]{1,61}[a-z0-9](/[A-Za-z0-9!_.*()/-]+)?|[^:]+)$',
              description: "Where a run is registered before anything starts and its bundle is copied to: a folder that is there, from this document's folder on, or s3://bucket/prefix, best with Object Lock. Credentials, region and endpoint come from the usual AWS variables and files",
            }),
          ),
          retain: Type.Optional(Duration('How long nobody, whoever it is, may remove what is written to a bucket (Object Lock, mode compliance); default: as the bucket itself says.')),
        },
        { ...strict, description: 'Where the record of this drill is kept beside the machine that runs it' },
      ),
    ),
  },
  { ...strict, $id: 'https://muster.invalid/schemas/environment.schema.json', title: 'Muster environment' },
);

export type Runbook = Static<typeof RunbookSchema>;
export type RunbookStep = Static<typeof Step>;
export type RunbookNode = Runbook['steps'][number];
export type Environment = Static<typeof EnvironmentSchema>;
export type EnvironmentConnection = Static<typeof Connection>;

export function isParallel(node: RunbookNode): node is Static<typeof Parallel> {
  return 'parallel' in node;
}

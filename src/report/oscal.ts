import { sha256 } from '../engine/canonical.js';
import type { Drill } from '../engine/drill.js';
import { markdownText } from './markdown-text.js';
import { reportModel, type ReportInput, type ReportModel } from './model.js';
import { controlIds, objectivesOf } from './oscal-controls.js';
import { uuidOf } from './uuid.js';
import { visible } from './visible.js';

/** Of the schema that the document holds to. Later ones changed nothing that stands in it, and some tools know none of them yet. */
const oscalVersion = '1.2.1';
const ns = 'https://muster.invalid/ns/oscal';

interface Observation {
  readonly uuid: string;
  readonly title: string;
  readonly description: string;
  readonly methods: readonly ['TEST'];
  readonly types?: readonly ['finding'];
  readonly 'relevant-evidence'?: readonly { readonly href: string; readonly description: string }[];
  readonly collected: string;
  readonly remarks?: string;
}

/**
 * OSCAL Assessment Results: what the drill observed, and for the NIST SP 800-53 controls that the runbook names whether
 * this drill was passed. Deterministic: UUIDs follow from the bundle's files, times from its events. Every `#uuid` in it
 * leads to a resource in its back matter, each with its SHA-256.
 */
export function reportOscal(input: ReportInput): string {
  const { drill, plan, runbook, events, files } = input;
  const model = reportModel(input);
  const seed = sha256(files.map((file) => `${file.sha256}  ${file.path}\n`).join(''));
  const id = (name: string) => uuidOf(`${seed} ${name}`);
  const started = events[0]?.at ?? plan.observed.at;
  const ended = drill.finishedAt ?? events.at(-1)?.at ?? started;
  const resource = (path: string) => `#${id(`resource ${path}`)}`;
  const observations = observationsOf(input, model, id, resource, ended);
  const controls = controlIds(runbook.metadata.controls ?? []);
  const findings = controls.flatMap((control) => objectivesOf(control)).map((target) => ({
    uuid: id(`finding ${target}`),
    title: line(`${target}: the drill ${drill.verdict}`),
    description: prose(`${model.verdict.sentence}${drill.reasons.length === 0 ? '' : ` Reasons: ${[...new Set(drill.reasons.map(({ code }) => code))].join(', ')}.`}`),
    target: {
      type: 'objective-id',
      'target-id': target,
      status: {
        state: drill.verdict === 'passed' ? 'satisfied' : 'not-satisfied',
        reason: drill.verdict === 'passed' ? 'pass' : drill.verdict === 'failed' ? 'fail' : 'other',
        remarks: 'Says whether this one drill was passed. It does not assess the control.',
      },
    },
    'related-observations': observations.map(({ uuid }) => ({ 'observation-uuid': uuid })),
  }));
  const operator = events.find((event) => event.type === 'run.started')?.data.operator;
  const parties = [
    { uuid: id('owner'), type: 'organization', name: text(runbook.metadata.owner), role: 'owner' },
    ...(operator === undefined ? [] : [{ uuid: id('operator'), type: 'person', name: text(operator), role: 'operator' }]),
  ];
  const document = {
    'assessment-results': {
      uuid: id('assessment-results'),
      metadata: {
        title: line(`Disaster-recovery drill: ${drill.title}`),
        'last-modified': ended,
        version: text(drill.run),
        'oscal-version': oscalVersion,
        roles: parties.map(({ role }) => ({ id: role, title: role === 'owner' ? 'Owner of the runbook' : 'Who ran the drill' })),
        parties: parties.map(({ uuid, type, name }) => ({ uuid, type, name })),
        'responsible-parties': parties.map(({ uuid, role }) => ({ 'role-id': role, 'party-uuids': [uuid] })),
        remarks: 'Made by Muster from a bundle of evidence. It records a test; it does not assess compliance.',
      },
      'import-ap': { href: resource('runbook.yaml'), remarks: 'The runbook, byte for byte: its SHA-256 stands in the back matter.' },
      results: [
        {
          uuid: id('result'),
          title: line(`${model.verdict.word}: ${drill.title}`),
          description: prose(model.verdict.sentence),
          start: started,
          end: ended,
          props: propsOf(input),
          'reviewed-controls': reviewed(controls),
          observations,
          ...(findings.length === 0 ? {} : { findings }),
          ...(drill.notProved.length === 0 ? {} : { remarks: drill.notProved.map((each) => `- not proved: ${markdownText(each)}`).join('\n') }),
        },
      ],
      'back-matter': {
        resources: files.filter(({ path }) => !path.startsWith('logs/')).map(({ path, sha256 }) => ({
          uuid: id(`resource ${path}`),
          title: line(path),
          rlinks: [{ href: encodeURI(path), 'media-type': mediaType(path), hashes: [{ algorithm: 'SHA-256', value: sha256 }] }],
        })),
      },
    },
  };
  return `${JSON.stringify(document, null, 2)}\n`;
}

function observationsOf({ drill, decided = [] }: ReportInput, model: ReportModel, id: (name: string) => string, resource: (path: string) => string, collected: string): Observation[] {
  const evidence = (path: string, description: string) => ({ 'relevant-evidence': [{ href: resource(path), description }] });
  const figures = model.objectives.map((objective): Observation => ({
    uuid: id(`observation ${objective.short}`),
    title: objective.short,
    description: prose(`${objective.title}: ${objective.value}; target: ${objective.target}; ${objective.status}.${objective.why === null ? '' : ` ${objective.why}`}`),
    methods: ['TEST'],
    ...evidence('events.jsonl', 'The journal from which the figure was derived'),
    collected,
  }));
  const record: Observation[] = [
    ...model.scale.map((row) => [`Beside production: ${row.what}`, `In this drill: ${row.drill}. In production: ${row.production}.`] as const),
    ['Deletion of the restored data', model.deletion.words] as const,
  ].map(([title, words]) => ({ uuid: id(`observation ${title}`), title: line(title), description: prose(words), methods: ['TEST'], ...evidence('events.jsonl', 'The journal that records it'), collected }));
  const kinds = model.evidence.map((item): Observation => ({
    uuid: id(`observation evidence ${item.kind}`),
    title: line(`Evidence: ${item.kind}`),
    description: prose(`${item.words}: ${item.status}. ${item.says}`),
    methods: ['TEST'],
    ...(item.file === null ? {} : evidence(item.file.path, 'What was recorded')),
    collected,
  }));
  const since = (reason: Drill['reasons'][number]) => decided.filter(({ code, step }) => code === reason.code && step === (reason.step ?? null)).map((each) => `- ${markdownText(`${each.id}: ${each.words}`)}`).join('\n');
  const reasons = drill.reasons.map((reason, index): Observation => ({
    uuid: id(`observation reason ${index}`),
    title: line(reason.code),
    description: prose(`${reason.step === undefined ? '' : `Step ${reason.step}: `}${reason.detail}`),
    methods: ['TEST'],
    types: ['finding'],
    ...evidence('drill.json', 'The verdict and its reasons'),
    collected,
    ...(since(reason) === '' ? {} : { remarks: since(reason) }),
  }));
  return [...figures, ...record, ...kinds, ...reasons];
}

/** OSCAL demands at least one control. */
function reviewed(named: readonly string[]): object {
  const controls = named.length === 0 ? ['cp-4'] : named;
  const description = named.length === 0 ? 'The runbook names no control of NIST SP 800-53. A drill is a test of a contingency plan (CP-4); nothing is said about that control.' : 'The controls of NIST SP 800-53 that the runbook names.';
  return { 'control-selections': [{ description, 'include-controls': controls.map((control) => ({ 'control-id': control })) }] };
}

function propsOf({ drill, plan, runbook, events }: ReportInput): object[] {
  const started = events.find((event) => event.type === 'run.started');
  const { approved } = runbook.objectives;
  const facts: readonly (readonly [string, string | number | null])[] = [
    ['verdict', drill.verdict],
    ['run', drill.run],
    ['runbook', `${drill.runbook.name} ${drill.runbook.version}`],
    ['runbook-sha256', drill.runbook.sha256],
    ['plan-sha256', drill.plan],
    ['environment', drill.environment.name],
    ['sandbox', String(drill.environment.sandbox)],
    ['tool', `muster-dr ${plan.binding.tool}`],
    ['rto-ms', drill.rto.upperMs ?? drill.rto.valueMs],
    ['rto-objective-ms', drill.rto.objectiveMs],
    ['rpo-ms', drill.rpo.valueMs],
    ['rpo-objective-ms', drill.rpo.objectiveMs],
    ['objectives-approved-by', approved === undefined ? null : `${approved.by}, ${approved.on}`],
    ...(started?.data.authenticated ?? []).map(({ by, as }) => [`operator-by-${by}`, as] as const),
    ...(runbook.metadata.controls ?? []).map((control) => ['control', control] as const),
  ];
  return facts.filter(([, value]) => value !== null).map(([name, value]) => ({ name, ns, value: text(String(value)) }));
}

function mediaType(path: string): string {
  return path.endsWith('.json') ? 'application/json' : path.endsWith('.jsonl') ? 'application/jsonl' : path.endsWith('.yaml') ? 'application/yaml' : 'text/plain';
}

/** OSCAL's string: not empty, no white space at its ends. */
const text = (value: string) => visible(value).trim() || '-';
/** OSCAL's markup-line and markup-multiline: Markdown in which nothing of others is acted on. */
const line = (value: string) => markdownText(value).trim() || '-';
const prose = line;

import { reasonCodes } from '../engine/drill.js';
import { reportModel, type ReportInput } from './model.js';
import { visible } from './visible.js';

interface Case {
  readonly group: string;
  readonly name: string;
  readonly seconds: number;
  /** Why it did not pass; `error`: it could not be shown. */
  readonly problem?: { readonly tag: 'failure' | 'error' | 'skipped'; readonly type: string; readonly message: string } | undefined;
}

const incomplete: ReadonlySet<string> = new Set(reasonCodes.incomplete);

/**
 * JUnit XML for CI: a case for each step, objective and required kind of evidence, and one for the verdict, which fails
 * with every reason: a drill that did not pass never looks green. Incomplete is an error: it could not be shown.
 */
export function reportJunit(input: ReportInput): string {
  const { drill } = input;
  const model = reportModel(input);
  const cases: Case[] = drill.steps.map((step) => ({ group: step.phase, name: step.id, seconds: (step.durationMs ?? 0) / 1000, problem: stepProblem(step) }));
  for (const { short, title, value, target, status, tone, why } of model.objectives) {
    const problem = tone === 'bad' ? ({ tag: 'failure', type: `${short.toLowerCase()}-missed`, message: `${value}, target ${target}` } as const) : tone === 'warn' ? ({ tag: 'error', type: `${short.toLowerCase()}-not-measured`, message: why ?? status } as const) : undefined;
    cases.push({ group: 'objectives', name: `${short} ${title}`, seconds: 0, problem });
  }
  for (const { kind, required, tone } of model.evidence) if (required) cases.push({ group: 'evidence', name: kind, seconds: 0, problem: tone === 'good' ? undefined : { tag: 'error', type: 'evidence-missing', message: 'required, and not delivered' } });
  cases.push({ group: 'verdict', name: 'passed', seconds: 0, problem: verdictProblem(input) });
  const count = (tag: 'failure' | 'error' | 'skipped') => cases.filter(({ problem }) => problem?.tag === tag).length;
  const start = input.events[0];
  const end = input.events.at(-1);
  const seconds = start === undefined || end === undefined ? 0 : Math.max(0, Date.parse(end.at) - Date.parse(start.at)) / 1000;
  const totals = `tests="${cases.length}" failures="${count('failure')}" errors="${count('error')}" skipped="${count('skipped')}" time="${decimal(seconds)}"`;
  const properties = [['run', drill.run], ['verdict', drill.verdict], ['runbook', `${drill.runbook.name} ${drill.runbook.version}`], ['runbook-sha256', drill.runbook.sha256], ['environment', drill.environment.name], ['plan-sha256', drill.plan]] as const;
  return [
    '<?xml version="1.0" encoding="UTF-8"?>',
    `<testsuites name="muster" ${totals}>`,
    `  <testsuite name="${escape(`${drill.runbook.name}: ${drill.title}`)}" ${totals} timestamp="${escape((drill.startedAt ?? '').replace(/(\.\d+)?Z$/, ''))}">`,
    '    <properties>',
    ...properties.map(([name, value]) => `      <property name="${name}" value="${escape(value)}"/>`),
    '    </properties>',
    ...cases.flatMap((each) => caseLines(each, drill.runbook.name)),
    '  </testsuite>',
    '</testsuites>',
    '',
  ].join('\n');
}

function stepProblem({ status, error }: ReportInput['drill']['steps'][number]): Case['problem'] {
  switch (status) {
    case 'succeeded':
      return undefined;
    case 'failed':
    case 'timed-out':
      return { tag: 'failure', type: status === 'failed' ? 'step-failed' : 'step-timed-out', message: error ?? status };
    case 'interrupted':
      return { tag: 'error', type: 'interrupted', message: error ?? status };
    case 'cancelled':
    case 'skipped':
    case 'not-executed':
      return { tag: 'skipped', type: status, message: status };
  }
}

function verdictProblem({ drill }: ReportInput): Case['problem'] {
  if (drill.verdict === 'passed') return undefined;
  const message = drill.reasons.map(({ code, step, detail }) => `${code}${step === undefined ? '' : ` at ${step}`}: ${detail}`).join('; ');
  return { tag: drill.reasons.every(({ code }) => incomplete.has(code)) ? 'error' : 'failure', type: drill.verdict, message };
}

/** To the microsecond, without what division leaves behind. */
const decimal = (seconds: number) => String(Math.round(seconds * 1e6) / 1e6);

function caseLines({ group, name, seconds, problem }: Case, runbook: string): string[] {
  const open = `    <testcase classname="${escape(`${runbook}.${group}`)}" name="${escape(name)}" time="${decimal(seconds)}"`;
  if (problem === undefined) return [`${open}/>`];
  const said = problem.tag === 'skipped' ? `<skipped message="${escape(problem.message)}"/>` : `<${problem.tag} type="${escape(problem.type)}" message="${escape(problem.message)}">${escape(problem.message)}</${problem.tag}>`;
  return [`${open}>`, `      ${said}`, '    </testcase>'];
}

/** What XML 1.0 cannot hold at all is written out by `visible`, or dropped (U+FFFE, U+FFFF). */
function escape(value: string): string {
  return visible(value).replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;').replaceAll('"', '&quot;').replaceAll("'", '&apos;').replaceAll(/[\uFFFE\uFFFF]/g, '');
}

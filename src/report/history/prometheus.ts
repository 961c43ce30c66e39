import { verdicts } from '../../engine/drill.js';
import { visible } from '../visible.js';
import { seriesOf, type Series } from './series.js';
import type { BundleSummary, History } from './types.js';

interface Metric {
  readonly name: string;
  readonly help: string;
  readonly samples: (series: Series) => readonly (readonly [labels: Readonly<Record<string, string>>, value: number | null])[];
}

const last = (of: (drill: BundleSummary) => number | null): Metric['samples'] => ({ drills }) => {
  const drill = drills.at(-1);
  return drill === undefined ? [] : [[{}, of(drill)]];
};
const seconds = (ms: number | null) => (ms === null ? null : ms / 1000);
const time = (at: string | null | undefined) => (at === null || at === undefined ? null : seconds(Date.parse(at)));

const metrics: readonly Metric[] = [
  { name: 'muster_drills', help: 'Drills by verdict, as their bundles say.', samples: ({ drills }) => verdicts.map((verdict) => [{ verdict }, drills.filter((drill) => drill.verdict === verdict).length]) },
  { name: 'muster_last_drill_timestamp_seconds', help: 'When the last drill started.', samples: last((drill) => time(drill.startedAt)) },
  { name: 'muster_last_drill_passed', help: '1 when the last drill passed, else 0.', samples: last((drill) => (drill.verdict === 'passed' ? 1 : 0)) },
  { name: 'muster_last_pass_timestamp_seconds', help: 'When the last drill that passed started.', samples: ({ drills }) => [[{}, time(drills.findLast((drill) => drill.verdict === 'passed')?.startedAt)]] },
  { name: 'muster_last_rto_seconds', help: 'Recovery time of the last drill; absent when it was not measured.', samples: last((drill) => seconds(drill.rto.ms)) },
  { name: 'muster_rto_objective_seconds', help: 'Recovery time objective of the last drill.', samples: last((drill) => seconds(drill.rto.objectiveMs)) },
  { name: 'muster_last_rpo_seconds', help: 'Data loss of the last drill; absent when it was not measured.', samples: last((drill) => seconds(drill.rpo.ms)) },
  { name: 'muster_rpo_objective_seconds', help: 'Recovery point objective of the last drill.', samples: last((drill) => seconds(drill.rpo.objectiveMs)) },
  { name: 'muster_last_manual_steps', help: 'Steps of the last drill that the runbook leaves to people.', samples: last((drill) => drill.manual.steps) },
  { name: 'muster_last_waiting_seconds', help: 'How long the last drill waited for people.', samples: last((drill) => seconds(drill.manual.waitingMs)) },
  { name: 'muster_last_outage_seconds', help: 'Outage that clients saw in the last drill; absent when it was not measured.', samples: last((drill) => seconds(drill.outageMs)) },
];

/** The text exposition format, for the textfile collector of node_exporter. What was not measured has no sample: never a 0. */
export function historyPrometheus({ bundles, unreadable }: Pick<History, 'bundles' | 'unreadable'>): string {
  const series = seriesOf(bundles);
  const lines = metrics.flatMap(({ name, help, samples }) => {
    const found = series.flatMap((each) => samples(each).flatMap(([labels, value]) => (value === null || !Number.isFinite(value) ? [] : [`${name}${labelled({ runbook: each.runbook, environment: each.environment, sandbox: String(each.sandbox), ...labels })} ${value}`])));
    return found.length === 0 ? [] : [`# HELP ${name} ${help}`, `# TYPE ${name} gauge`, ...found];
  });
  lines.push('# HELP muster_unreadable_bundles Folders that look like bundles and cannot be read.', '# TYPE muster_unreadable_bundles gauge', `muster_unreadable_bundles ${unreadable.length}`);
  return lines.map((line) => `${line}\n`).join('');
}

function labelled(labels: Readonly<Record<string, string>>): string {
  const pairs = Object.entries(labels).map(([name, value]) => `${name}="${visible(value).replaceAll('\\', '\\\\').replaceAll('"', '\\"')}"`);
  return `{${pairs.join(',')}}`;
}

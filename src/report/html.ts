import handlebars from 'handlebars';
import { reportModel, type ReportInput, type ReportModel } from './model.js';
import { laneChart, objectiveChart, phaseChart, rowChart, trendBar } from './html/charts.js';
import type { Fact } from './model-types.js';
import { style } from './html/style.js';
import { page, parts } from './html/template.js';
import { visible } from './visible.js';

/** One self-contained page. The same input gives the same bytes: `muster verify` renders it again and compares. */
export function reportHtml(input: ReportInput): string {
  return renderHtml(reportModel(input));
}

let template: ((model: unknown) => string) | undefined;

function renderHtml(model: ReportModel): string {
  template ??= compiled();
  return template(shown(model));
}

function compiled(): (model: unknown) => string {
  const engine = handlebars.create();
  const svg = (text: string) => new engine.SafeString(text);
  const { escapeExpression: escape } = engine;
  // In the command that is built they are functions already (tools/build.js).
  const use = (source: string | TemplateSpecification) => (typeof source === 'string' ? engine.compile(source, { strict: true }) : engine.template(source));
  for (const [name, source] of Object.entries(parts)) engine.registerPartial(name, use(source));
  engine.registerHelper('style', () => svg(style));
  engine.registerHelper('objectiveChart', (objective: ReportModel['objectives'][number]) => svg(objectiveChart(objective, escape)));
  engine.registerHelper('phaseChart', (phases: ReportModel['phases']) => svg(phaseChart(phases)));
  engine.registerHelper('rowChart', (row: Parameters<typeof rowChart>[0]) => svg(rowChart(row)));
  engine.registerHelper('laneChart', (lane: ReportModel['probes'][number]) => svg(laneChart(lane, escape)));
  engine.registerHelper('inLines', ({ code, wide }: Fact) => code === true || wide === true);
  engine.registerHelper('isCode', ({ code }: Fact) => code === true);
  engine.registerHelper('trendBar', (row: ReportModel['trend'][number]) => svg(trendBar(row)));
  engine.registerHelper('deletionWord', (tone: ReportModel['deletion']['tone']) => deletionWords[tone]);
  engine.registerHelper('icon', (tone: ReportModel['verdict']['tone']) => icons[tone]);
  engine.registerHelper('percentOf', (marks: ReportModel['gantt']['marks'], label: string) => marks.find((mark) => mark.label === label)?.at ?? -1);
  return use(page);
}

const icons = { good: '✓', bad: '✕', warn: '!', quiet: '–' } as const satisfies Record<ReportModel['verdict']['tone'], string>;

const deletionWords = { good: 'removed', bad: 'left behind', warn: 'not shown', quiet: 'nothing made' } as const satisfies Record<ReportModel['deletion']['tone'], string>;

/** The model with every text in it made safe to show; what is left to escape are the characters of HTML. */
function shown(value: unknown): unknown {
  if (typeof value === 'string') return visible(value);
  if (Array.isArray(value)) return value.map(shown);
  if (typeof value === 'object' && value !== null) return Object.fromEntries(Object.entries(value).map(([key, member]) => [key, shown(member)]));
  return value;
}

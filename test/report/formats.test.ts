import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Drill } from '../../src/engine/drill.js';
import type { DrillEvent } from '../../src/engine/events.js';
import { derive } from '../../src/engine/verdict.js';
import { reportFiles } from '../../src/evidence/bag.js';
import { digestOf, payloadTexts } from '../../src/evidence/texts.js';
import { report } from '../../src/cli/report.js';
import { verify } from '../../src/cli/verify.js';
import { reportHtml } from '../../src/report/html.js';
import { reportJson } from '../../src/report/json.js';
import { reportMarkdown } from '../../src/report/markdown.js';
import type { ReportInput } from '../../src/report/model.js';
import { createStyle } from '../../src/report/style.js';
import { summary } from '../../src/report/terminal-summary.js';
import { visible } from '../../src/report/visible.js';
import { UsageError } from '../../src/engine/errors.js';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { copyOf, workFolder, writeSample } from '../evidence/lib/bundle.js';
import { sampleRun, type SampleOptions } from '../evidence/lib/sample.js';

function inputOf(options: SampleOptions = {}): ReportInput {
  const run = sampleRun(options);
  const drill = derive(run.runbook, run.plan, run.events);
  const payload = [...payloadTexts({ ...run, drill })].map(([path, text]) => digestOf(path, text));
  return { ...run, drill, files: reportFiles(payload) };
}

describe('report.html', () => {
  const html = reportHtml(inputOf());

  it('is one page that loads nothing and runs nothing', () => {
    expect(html).not.toMatch(/<script|<link|<img|@import|url\(|https?:/i);
    expect(html).toMatch(/Content-Security-Policy" content="default-src 'none'/);
  });

  it('says verdict, objectives, steps, evidence and limits in words', () => {
    const { drill, files } = inputOf();
    expect(html).toContain('Restore PostgreSQL to the moment before a bad deploy');
    expect(html).toContain('Objective met');
    for (const step of drill.steps) expect(html).toContain(`>${step.id}`);
    for (const file of files.filter(({ path }) => path.startsWith('evidence/'))) {
      expect(html).toContain(`href="${file.path}"`);
      expect(html).toContain(file.sha256);
    }
    for (const line of drill.notProved) expect(html.replaceAll('&#x27;', "'").replaceAll('&quot;', '"').replaceAll('&#x3D;', '=').replaceAll('&#x60;', '`')).toContain(line);
    expect(html).toContain('2026-11-20 07:00:00 UTC');
    expect(html).toContain('waiting for people');
  });

  it('shows what failed and what was not executed', () => {
    const input = inputOf({ failAt: 'restore' });
    const page = reportHtml(input);
    expect(input.drill.verdict).toBe('failed');
    expect(page).toContain('A step failed');
    expect(page).toMatch(/<th scope="row">switch.*skipped/);
  });

  it('says of each reason what to do, and who approved the plan', () => {
    const input = inputOf({ failAt: 'restore' });
    const page = reportHtml(input);
    expect(page).toContain('Findings and actions');
    expect(page).toContain('fails the drill');
    expect(html).not.toContain('Findings and actions');
    expect(html).toContain('The environment demands no approval of the plan.');
    const approved = reportHtml({ ...input, plan: { ...input.plan, binding: { ...input.plan.binding, environment: { ...input.plan.binding.environment, approvals: { required: 2 } } } }, events: [...input.events, { ...input.events[0], type: 'plan.approved', data: { who: 'kim@example.org', key: 'SHA256:abc', file: 'sig/approval-kim.json', approval: 'a'.repeat(64), signature: 'b'.repeat(64) } } as ReportInput['events'][number]] });
    expect(approved).toContain('The environment demands 2 approvals of the plan');
    expect(approved).toContain('<b>kim@example.org</b> approved it: sig/approval-kim.json');
  });

  it('names the failed drill that this one repeats, and whether it closes it', () => {
    const closes = { run: '20260101T000000Z-pitr-restore-abcdef', sha256: 'c'.repeat(64) };
    const repeated = (options: SampleOptions) => {
      const input = inputOf(options);
      return { ...input, events: input.events.map((event) => (event.type === 'run.started' ? { ...event, data: { ...event.data, closes } } : event)) };
    };
    const [passed, failed] = [repeated({}), repeated({ failAt: 'restore' })];
    expect(reportHtml(passed)).toMatch(/Closes the drill<\/dt><dd><code>20260101T000000Z-pitr-restore-abcdef, sha256 c{64}/);
    expect(reportHtml(failed)).toContain('Does not close the drill');
    expect(reportMarkdown(passed)).toMatch(/Closes the drill \| `20260101T000000Z-pitr-restore-abcdef/);
    const said = (input: ReportInput) => summary(input.drill, { bundle: 'evidence/b', closes: closes.run }, createStyle(false));
    expect(said(passed)).toContain(`  closes  ${closes.run}\n`);
    expect(said(failed)).toContain(`  does not close  ${closes.run}\n`);
    expect(html).not.toMatch(/close the drill/i);
  });

  it('says how much of the recovery people do, and how long that took', () => {
    expect(html).toMatch(/The runbook has 1 manual step\. This drill waited .+ for people, and they worked .+\./);
    expect(reportMarkdown(inputOf())).toContain('The runbook has 1 manual step');
  });

  it('shows who attached to the drill: it may have been handed over', () => {
    const input = inputOf();
    const [first] = input.events;
    if (first === undefined) throw new Error('no events');
    const attached: DrillEvent = { ...first, seq: 2, type: 'operator.attached', data: { who: 'bob', host: 'night-desk' } };
    expect(reportHtml({ ...input, events: input.events.toSpliced(1, 0, attached) })).toMatch(/Somebody attached to the drill<\/td><td>bob on night-desk/);
  });

  it('lists a change of others with who, what, what it was and is, and when', () => {
    const input = inputOf();
    const [first] = input.events;
    if (first === undefined) throw new Error('no events');
    const observed: DrillEvent = { ...first, seq: 2, type: 'watch.observed', data: { watcher: 'postgres', object: 'copy: setting work_mem', actor: 'psql (user eve)', change: 'setting changed', before: '4MB', after: { value: 8 }, ours: false, allowedBy: null, scope: 'recovery-path', happened: '2026-11-20T07:01:02.000Z' } };
    const page = reportHtml({ ...input, events: input.events.toSpliced(1, 0, observed) });
    expect(page).toContain('<td>psql (user eve)</td><td>postgres: copy: setting work_mem: setting changed (4MB -&gt; {&quot;value&quot;:8}; 2026-11-20 07:01:02 UTC)</td>');
  });

  it('of an undocumented change names the bundle to amend', () => {
    const { drill } = inputOf();
    const changed: Drill = { ...drill, verdict: 'failed', reasons: [{ code: 'undocumented-change', detail: 'x' }] };
    expect(summary(changed, { bundle: 'evidence/b' }, createStyle(false))).toContain('muster amend evidence/b prints the runbook with the missing step; commit it, and repeat the drill with --closes evidence/b.');
  });

  it('shows gaps and where the clocks disagree', () => {
    const input = inputOf();
    expect(html).toContain('No gap was found between the fault and the end');
    expect(html).toContain('No measured span was found over which');
    // An empty list is no proof where nothing was observed.
    expect(reportHtml({ ...input, drill: { ...input.drill, fault: null } })).toContain('Gaps were not looked for: no fault was sent.');
    const drill = { ...input.drill, gaps: [{ probe: 'availability', startMs: 1200, ms: 5000 }], clock: [{ span: 'fault to restored', monotonicMs: 8000, utcMs: 12_000, countedMs: 12_000 }] };
    const page = reportHtml({ ...input, drill });
    expect(page).toMatch(/availability<\/th><td class="n">1\.20 s<\/td><td class="n">5\.00 s</);
    expect(page).toMatch(/fault to restored<\/th><td class="n">8\.00 s<\/td><td class="n">12\.0 s<\/td><td class="n">12\.0 s</);
    expect(reportMarkdown({ ...input, drill })).toContain('saw nothing for 5.00 s, from 1.20 s after the fault');
  });

  it('shows a missed objective with its bar beyond the target', () => {
    const page = reportHtml(inputOf({ rtoMs: 4000 }));
    expect(page).toContain('Objective missed');
    expect(page).toContain('Recovery took longer than its objective');
  });

  it('stays under 3 MB for 5,000 steps', () => {
    expect(Buffer.byteLength(reportHtml(inputOf({ extraSteps: 5000 })))).toBeLessThan(3_000_000);
  });

  it('is the same whenever it is rendered', () => {
    expect(reportHtml(inputOf())).toBe(html);
  });
});

const hostile = `<script>alert(1)</script>{{title}}{{{title}}}" onload="x \u001b[31mred\u001b]0;owned\u0007 \u202egnp.exe @everyone | \`code\` [a](javascript:b) ![i](http://x/y)\n\n# heading`;

describe('hostile texts', () => {
  const input = inputOf({ hostile });

  it('inject nothing into HTML', () => {
    const html = reportHtml(input);
    expect(html).not.toMatch(/<script|<img/);
    expect(html).not.toContain('" onload="');
    // What looks like a template is shown, not filled in.
    expect(html).toContain('{{title}}');
    expect(html).not.toMatch(/(?!\n)[\p{Cc}\p{Cf}]/u);
  });

  it('inject nothing into Markdown', () => {
    const markdown = reportMarkdown(input);
    const outside = markdown.replaceAll(/`[^`\n]*`/g, '');
    expect(outside).not.toMatch(/<(?!\/?details>|\/?summary>|!-- -->)/);
    expect(outside).not.toMatch(/(?<!\\)\]\(|^# |@everyone|(?!\n)[\p{Cc}\p{Cf}]/mu);
    const tables = outside.split('\n').filter((line) => line.startsWith('| '));
    expect(tables.length).toBeGreaterThan(10);
    for (const line of tables) expect(line).toMatch(/\|$/);
  });

  it('keep JSON what it is', () => {
    const parsed = JSON.parse(reportJson(input)) as { drill: unknown };
    expect(parsed.drill).toEqual(JSON.parse(JSON.stringify(input.drill)));
  });

  it('are written out, not acted on', () => {
    expect(visible('a\u001b[2Jb\r\nc\u009bd\u202e')).toBe('a\\u001b[2Jb c\\u009bd\\u202e');
    expect(visible('a\nb', { lines: true })).toBe('a\nb');
    expect(visible('\ud800 \ud83d\ude00')).toBe('\\ud800 \ud83d\ude00');
  });
});

describe('the commands', () => {
  let folder: Awaited<ReturnType<typeof workFolder>>;
  let bundle: string;
  beforeAll(async () => {
    folder = await workFolder();
    bundle = (await writeSample(folder.path, { hostile })).path;
  });
  afterAll(() => folder.remove());

  const capture = (cwd: string) => {
    const out = { stdout: '', stderr: '' };
    return { out, io: { stdout: (text: string) => void (out.stdout += text), stderr: (text: string) => void (out.stderr += text), cwd, env: {} } };
  };

  it('verify a sound bundle: 0, with verdict, checks and limits, and nothing that a terminal acts on', async () => {
    const { out, io } = capture(folder.path);
    expect(await verify({ path: 'evidence' }, io)).toBe(0);
    expect(out.stdout).toMatch(/: sound, UNSIGNED\n/);
    expect(out.stdout).toMatch(/drill: (passed|incomplete)/);
    expect(out.stdout).toMatch(/UNSIGNED, consistency only/);
    expect(out.stdout).not.toMatch(/(?!\n)[\p{Cc}\p{Cf}]/u);
    expect(out.stdout).not.toMatch(/^# heading/m);
  });

  it('verify a damaged one: 1, with the file named', async () => {
    const copy = await copyOf(bundle, 'damaged');
    writeFileSync(join(copy, 'data/logs/restore.log'), 'nothing happened\n');
    const { out, io } = capture(copy);
    expect(await verify({ path: '.' }, io)).toBe(1);
    expect(out.stdout).toMatch(/digest-differs: data\/logs\/restore\.log/);
  });

  it('refuse what is no bundle', async () => {
    const { io } = capture(folder.path);
    await expect(verify({ path: 'logs' }, io)).rejects.toThrow(UsageError);
    await expect(verify({ path: 'nowhere' }, io)).rejects.toThrow(UsageError);
    await expect(report({ bundle, format: 'pptx' }, io)).rejects.toThrow(UsageError);
  });

  it('report a sound bundle in each format, and nothing of a damaged one', async () => {
    const { out, io } = capture(folder.path);
    expect(await report({ bundle, format: 'html', out: 'r.html' }, io)).toBe(0);
    expect(readFileSync(join(folder.path, 'r.html'), 'utf8')).toBe(readFileSync(join(bundle, 'data/report.html'), 'utf8'));
    expect(await report({ bundle, format: 'markdown' }, io)).toBe(0);
    expect(out.stdout).toMatch(/^## /);
    const copy = await copyOf(bundle, 'unsound');
    writeFileSync(join(copy, 'data/drill.json'), '{}\n');
    const second = capture(folder.path);
    expect(await report({ bundle: copy, format: 'json' }, second.io)).toBe(1);
    expect(second.out.stdout).toBe('');
    expect(second.out.stderr).toMatch(/not sound/);
  });
});

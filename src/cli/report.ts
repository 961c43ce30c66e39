import { access, writeFile } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import { UsageError, messageOf } from '../engine/errors.js';
import { verifyBundle } from '../evidence/verify.js';
import type { ReportInput } from '../report/model.js';
import { visible } from '../report/visible.js';
import { bundlePath } from './bundle-path.js';
import type { CommandIo } from './io.js';

export interface ReportArgs {
  readonly bundle: string;
  readonly format: string;
  readonly out?: string | undefined;
  /** findings.yaml: what was decided about the drill's findings since. */
  readonly findings?: string | undefined;
  readonly allowedSigners?: string | undefined;
}

/** Loaded when asked for: a template engine is of no use to JSON. */
const formats: Readonly<Record<string, () => Promise<(input: ReportInput, env: CommandIo['env']) => string | Promise<Uint8Array>>>> = {
  csv: async () => (await import('../report/csv.js')).reportCsv,
  html: async () => (await import('../report/html.js')).reportHtml,
  json: async () => (await import('../report/json.js')).reportJson,
  junit: async () => (await import('../report/junit.js')).reportJunit,
  markdown: async () => (await import('../report/markdown.js')).reportMarkdown,
  oscal: async () => (await import('../report/oscal.js')).reportOscal,
  pdf: async () => {
    const [{ reportHtml }, { printPdf }] = await Promise.all([import('../report/html.js'), import('../report/pdf.js')]);
    return (input, env) => printPdf(reportHtml(input), env);
  },
};

/** A bundle knows nothing of what came after it; this report of it does, and is therefore not the bundle's own. */
async function withDecisions(input: ReportInput, bundle: string, file: string, allowedSigners: string | undefined, io: CommandIo): Promise<ReportInput> {
  if (!(await access(resolve(io.cwd, file)).then(() => true, () => false))) throw new UsageError(`there is no file ${visible(file)}`);
  const [{ decided }, { decidedWords }] = await Promise.all([import('./findings.js'), import('../report/history/findings-text.js')]);
  const { findings } = await decided({ file, evidenceDir: dirname(bundle), allowedSigners }, new Date(), io);
  return { ...input, decided: findings.filter(({ drill }) => drill.run === input.drill.run).map((finding) => ({ id: finding.id, code: finding.code, step: finding.step, words: decidedWords(finding) })) };
}

/** `muster report BUNDLE --format F [--out F]`. A bundle that does not verify gets no report: 1. Throws UsageError. */
export async function report(args: ReportArgs, io: CommandIo): Promise<number> {
  const format = Object.hasOwn(formats, args.format) ? formats[args.format] : undefined;
  if (format === undefined) throw new UsageError(`there is no report format ${visible(args.format)}; expected one of ${Object.keys(formats).join(', ')}`);
  if (args.format === 'pdf' && args.out === undefined) throw new UsageError('a PDF is no text: say where it goes with --out FILE');
  const bundle = await bundlePath(args.bundle, io.cwd);
  const { defects, input } = await verifyBundle(bundle);
  if (input === undefined) {
    io.stderr(`${visible(args.bundle)} is not sound, so nothing is reported from it: ${defects.length} ${defects.length === 1 ? 'defect' : 'defects'}. \`muster verify\` names them.\n`);
    return 1;
  }
  const content = await (await format())(args.findings === undefined ? input : await withDecisions(input, bundle, args.findings, args.allowedSigners, io), io.env);
  if (args.out === undefined && typeof content === 'string') io.stdout(content);
  else if (args.out === undefined) throw new UsageError('say where it goes with --out FILE');
  else {
    try {
      await writeFile(resolve(io.cwd, args.out), content);
    } catch (error) {
      throw new UsageError(`cannot write the report: ${messageOf(error)}`);
    }
  }
  return 0;
}

import { DocumentError, type Diagnostic } from '../engine/errors.js';
import { loadDocument } from '../engine/load.js';
import { renderDiagnostics } from '../report/diagnostics.js';
import type { CommandIo } from './io.js';

const usage = 'usage: muster validate FILE...\n\nChecks runbooks and environments and reports everything that is wrong. Exits 2 when anything is.\n';

/** `muster validate`: 0 when every document is right, 2 otherwise. */
export async function validate(args: readonly string[], io: CommandIo): Promise<number> {
  if (args.includes('--help') || args.includes('-h')) {
    io.stdout(usage);
    return 0;
  }
  const option = args.find((arg) => arg.startsWith('-'));
  if (option !== undefined || args.length === 0) {
    io.stderr(`${option === undefined ? 'muster validate needs a file' : `muster validate knows no option ${option}`}\n${usage}`);
    return 2;
  }
  const diagnostics: Diagnostic[] = [];
  for (const path of args) {
    try {
      const { kind, document } = await loadDocument(path, io.cwd);
      const version = kind === 'Runbook' ? ` ${document.metadata.version}` : '';
      io.stdout(`${path}: valid ${kind} ${document.metadata.name}${version}\n`);
    } catch (error) {
      if (!(error instanceof DocumentError)) throw error;
      diagnostics.push(...error.diagnostics);
      io.stdout(`${renderDiagnostics(error.diagnostics, io.cwd)}\n`);
    }
  }
  if (diagnostics.length === 0) return 0;
  const files = new Set(diagnostics.map((each) => each.position.file)).size;
  io.stderr(`${diagnostics.length} ${diagnostics.length === 1 ? 'error' : 'errors'} in ${files} ${files === 1 ? 'file' : 'files'}\n`);
  return 2;
}

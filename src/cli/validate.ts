import { DocumentError, type Diagnostic } from '../engine/errors.js';
import { loadDocument } from '../engine/load.js';
import { renderDiagnostics } from '../report/diagnostics.js';
import type { CommandIo } from './io.js';

/** `muster validate`: 0 when every document is right, 2 otherwise. */
export async function validate(paths: readonly string[], io: CommandIo): Promise<number> {
  const diagnostics: Diagnostic[] = [];
  for (const path of paths) {
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

import { DocumentError, messageOf, RefusedError, UsageError } from '../engine/errors.js';
import { visible } from '../report/visible.js';
import { exitCodes } from './exit-codes.js';
import type { CommandIo } from './io.js';

/** Says what went wrong and what to do, without a stack trace (MUSTER_DEBUG=1 shows it), and gives the exit code. */
export async function reportFailure(error: unknown, io: CommandIo): Promise<number> {
  const code = await report(error, io);
  if (io.env['MUSTER_DEBUG'] === '1' && error instanceof Error) io.stderr(`${error.stack ?? ''}\n`);
  return code;
}

async function report(error: unknown, io: CommandIo): Promise<number> {
  if (error instanceof DocumentError) {
    const { renderDiagnostics } = await import('../report/diagnostics.js');
    io.stderr(renderDiagnostics(error.diagnostics, io.cwd));
    return exitCodes.usage;
  }
  const message = visible(messageOf(error), { lines: true });
  if (error instanceof UsageError) {
    io.stderr(`muster: ${message}\n`);
    return exitCodes.usage;
  }
  if (error instanceof RefusedError) {
    io.stderr(`muster: refused: ${message}\n${error.details.map((detail) => `  ${visible(detail)}\n`).join('')}`);
    return exitCodes.refused;
  }
  io.stderr(`muster: internal error: ${message}\nThis is a defect in Muster; MUSTER_DEBUG=1 shows where. If a run was under way: muster ps\n`);
  return exitCodes.internal;
}

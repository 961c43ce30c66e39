import type { Plan } from '../engine/plan-document.js';
import { createStyle, wantsColour } from './style.js';
import type { Progress } from './terminal-progress.js';

export interface ProgressOptions {
  readonly plan: Plan;
  readonly stream: NodeJS.WriteStream;
  readonly env: Readonly<Record<string, string | undefined>>;
}

/** A drawing that moves on a terminal, plain lines elsewhere. */
export async function createProgress(options: ProgressOptions): Promise<Progress> {
  const terminal = options.stream.isTTY && options.env['TERM'] !== 'dumb' && (options.env['CI'] ?? '') === '';
  const style = createStyle(wantsColour(options.stream.isTTY, options.env));
  if (!terminal) return (await import('./terminal-plain.js')).plainProgress(options.plan, options.stream, style);
  return (await import('./terminal-live.js')).liveProgress(options.plan, options.stream, style);
}

import type { FinishedBundle } from '../evidence/bag.js';
import { called } from '../engine/called.js';
import { messageOf } from '../engine/errors.js';
import type { Style } from '../report/style.js';
import { visible } from '../report/visible.js';
import { exitCodeOf, exitCodes } from './exit-codes.js';
import type { Finished } from './finish.js';

/** What the end of a run says about the seal: an unsigned bundle must not pass for a signed one. */
export function sealLines(seal: FinishedBundle['seal'], bundle: string, style: Style): string {
  const how = `    Seal it:   ${called} seal ${bundle} --key FILE     (${called} keygen makes a key)\n`;
  if (seal === null) return `\n  ${style.warn('UNSIGNED')}: whoever can write this bundle can rewrite it unnoticed.\n${how}`;
  if ('error' in seal) return `\n  ${style.bad('NOT SEALED')}: ${visible(messageOf(seal.error))}\n  The bundle is whole, and unsigned.\n${how}`;
  return `\n  ${style.good('Sealed')} with ${seal.fingerprint}\n`;
}

/** A seal that was asked for and could not be made is no success. */
export function sealedCode({ drill, seal }: Finished): number {
  const code = exitCodeOf(drill);
  return code === exitCodes.passed && seal !== null && 'error' in seal ? exitCodes.notPassed : code;
}

import { readFile } from 'node:fs/promises';
import { messageOf, UsageError } from '../../engine/errors.js';
import type { ManualAnswer } from './port.js';

/** Prepared answers by step id. */
export type Answers = ReadonlyMap<string, ManualAnswer>;

/** Reads an answers file (YAML or JSON): `{ <step id>: { who, attestation } }`. Throws UsageError. */
export async function readAnswers(path: string): Promise<Answers> {
  const { parse } = await import('yaml');
  let document: unknown;
  try {
    document = parse(await readFile(path, 'utf8'), { maxAliasCount: 0 });
  } catch (error) {
    throw new UsageError(`the answers file ${path} cannot be read: ${messageOf(error)}`, { cause: error });
  }
  if (!isRecord(document)) throw new UsageError(`${path}: expected { <step id>: { who, attestation } }`);
  return new Map(Object.entries(document).map(([step, answer]) => [step, oneAnswer(path, step, answer)]));
}

function oneAnswer(path: string, step: string, answer: unknown): ManualAnswer {
  if (!isRecord(answer)) throw new UsageError(`${path}: ${step}: expected { who, attestation }`);
  const { who, attestation, ...others } = answer;
  const unknown = Object.keys(others);
  if (unknown.length > 0) throw new UsageError(`${path}: ${step}: ${unknown.join(', ')} is not expected beside who and attestation`);
  if (typeof who !== 'string' || who.trim() === '') throw new UsageError(`${path}: ${step}.who: expected the name of a person`);
  if (typeof attestation !== 'string' || attestation.trim() === '') throw new UsageError(`${path}: ${step}.attestation: expected what that person states to have done`);
  return { who: who.trim(), attestation: attestation.trim() };
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

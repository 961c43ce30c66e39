import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DocumentError, type Diagnostic } from '../../src/engine/errors.js';
import { loadDocument } from '../../src/engine/load.js';

/** A sound runbook that has one of everything; tests break it in one place. */
export const base = `apiVersion: muster/v1
kind: Runbook
metadata:
  name: base
  version: 1.0.0
  title: Base
  owner: platform-team
objectives: { rto: 15m, rpo: 60s }
fault: injected
requires: { source: postgres, copy: postgres, app: endpoint }
inputs:
  table: { type: string, default: orders }
  rows: { type: integer, default: 10, minimum: 1 }
  slack: { type: duration, default: 5s, enum: [5s, 10s] }
probes:
  service: { uses: http.availability, with: { endpoint: app, every: 200ms } }
steps:
  - id: seed
    phase: prepare
    uses: postgres.sql
    with: { server: source, sql: SELECT 1, effect: read, params: ["{{ inputs.table }}"] }
  - id: break
    phase: inject
    uses: exec
    with:
      argv: [echo, "{{ steps.seed.rowCount }}", "{{ env.name }}", "{{ run.id }}"]
      effect: modify
    timeout: 30s
    retry: { attempts: 2, delay: 1s }
  - parallel:
      left:
        - id: left-one
          phase: detect
          uses: wait
          with: { probe: service, until: failing }
        - id: left-two
          phase: restore
          uses: assert
          with: { that: [{ name: none, actual: "{{ steps.left-one.waitedMs }}", atLeast: 0 }] }
      right:
        - id: right-one
          phase: decide
          uses: wait
          with: { for: 1s }
  - id: check
    phase: verify
    gate: true
    uses: wait
    with: { for: "{{ inputs.slack }}" }
cleanup:
  - id: tidy
    uses: wait
    with: { for: 1s }
evidence: { require: [backup] }
`;

export const environmentBase = `apiVersion: muster/v1
kind: Environment
metadata: { name: sandbox, sandbox: true }
connections:
  source: { kind: postgres, role: source, provision: embedded-postgres, with: { archiveTo: backups } }
  backups: { kind: postgres-backups, role: source, provision: directory }
  copy: { kind: postgres, role: target, provision: restored-postgres }
endpoints:
  app: { provision: forwarder, to: source }
boundary: {}
forbidden: ["primary:5432"]
stableFor: 2s
`;

const mark = '¤';

export interface Marked {
  readonly text: string;
  readonly line: number;
  readonly column: number;
}

/** `from` replaced by `to`, in which `¤` marks where the error is. Throws when `from` is not there. */
export function breakIn(text: string, from: string, to: string): Marked {
  if (!text.includes(from)) throw new Error(`not in the document: ${from}`);
  const broken = text.replace(from, () => to);
  const before = broken.slice(0, broken.indexOf(mark));
  return { text: broken.replace(mark, ''), line: before.split('\n').length, column: before.length - before.lastIndexOf('\n') };
}

/** What is wrong with `text`, as a file; empty when nothing is. */
export async function diagnose(text: string | Uint8Array): Promise<readonly Diagnostic[]> {
  const folder = mkdtempSync(join(tmpdir(), 'muster-load-'));
  try {
    writeFileSync(join(folder, 'document.yaml'), text);
    await loadDocument('document.yaml', folder);
    return [];
  } catch (error) {
    if (error instanceof DocumentError) return error.diagnostics;
    throw error;
  } finally {
    rmSync(folder, { recursive: true });
  }
}

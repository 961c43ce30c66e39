import type { ProbeDefinition, ProvisionerDefinition, StepDefinition } from './define-step.js';

export type Definition = StepDefinition | ProbeDefinition | ProvisionerDefinition;

/** What a type can be found by without loading its module; generated from the definitions. */
export interface CatalogEntry {
  readonly type: string;
  readonly role: 'step' | 'probe' | 'provisioner';
  readonly summary: string;
  /** Top-level output fields, and nested ones as dotted paths; `*` where anything may follow. Steps only. */
  readonly outputs: readonly string[];
  /** Input fields that name something else in the documents (`x-connection`, `x-endpoint`, `x-probe` in schema.ts). */
  readonly references: readonly InputReference[];
  /** The connection kinds that a provisioner provides; empty for steps and probes. */
  readonly kinds: readonly string[];
}

export interface InputReference {
  /** Where in the input, `*` for every member of an array or record: `server`, `checks.*.server`. */
  readonly at: string;
  readonly to: 'connection' | 'endpoint' | 'probe';
  /** Of a connection: its kind, or `*`. */
  readonly kind?: string;
}

/** Definitions by type, loaded when asked for: a command pays only for the types that it uses. */
export interface Registry {
  readonly catalog: ReadonlyMap<string, CatalogEntry>;
  step(type: string): Promise<StepDefinition>;
  probe(type: string): Promise<ProbeDefinition>;
  provisioner(type: string): Promise<ProvisionerDefinition>;
}

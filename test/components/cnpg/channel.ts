import type { Control } from './switches.js';

/** What goes to the operator's process and back: calls and their answers, by number. */
export interface Start {
  readonly folder: string;
  readonly kubeconfig: string;
  readonly nodePrefix: string;
  readonly leaseSeconds: number;
}

export type Call =
  | { readonly id: number; readonly method: 'start'; readonly start: Start }
  | { readonly id: number; readonly method: 'stop' }
  | { readonly id: number; readonly method: keyof Control; readonly args: readonly unknown[] };

export interface Answer {
  readonly id: number;
  readonly value?: unknown;
  readonly error?: string;
}

import type { Control } from './switches.js';

/** Of those who write to the API server in a cluster with the real operator. All may be the same. */
export interface Kubeconfigs {
  readonly operator: string;
  /** The instance managers in the pods. */
  readonly instances: string;
  readonly kubelets: string;
  /** Publishes addresses of Services. */
  readonly cloud: string;
}

/** What goes to the operator's process and back: calls and their answers, by number. */
export interface Start {
  readonly folder: string;
  readonly kubeconfigs: Kubeconfigs;
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

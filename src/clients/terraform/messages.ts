/** One line of `terraform plan|apply -json` that says how far it is. */
export interface Progress {
  readonly kind: 'planned' | 'drift' | 'started' | 'progress' | 'done' | 'failed' | 'summary' | 'other';
  /** Resource address, where the line is about one. */
  readonly address?: string;
  /** `create`, `update`, `delete`, `replace`, `read`, as the tool says it. */
  readonly action?: string;
  readonly seconds?: number;
  /** One line for a log. It holds no value of a resource. */
  readonly text: string;
}

/** An error or a warning, as the tool says it. `detail` may quote configuration. */
export interface Diagnostic {
  readonly severity: 'error' | 'warning';
  readonly summary: string;
  readonly detail: string;
  readonly address?: string;
}

interface Message {
  readonly type?: string;
  readonly '@message'?: string;
  readonly diagnostic?: { readonly severity?: string; readonly summary?: string; readonly detail?: string; readonly address?: string };
  readonly change?: { readonly resource?: { readonly addr?: string }; readonly action?: string };
  readonly hook?: { readonly resource?: { readonly addr?: string }; readonly action?: string; readonly elapsed_seconds?: number };
}

const kinds: Readonly<Record<string, Progress['kind']>> = {
  planned_change: 'planned',
  resource_drift: 'drift',
  apply_start: 'started',
  apply_progress: 'progress',
  apply_complete: 'done',
  apply_errored: 'failed',
  change_summary: 'summary',
};

/** Reads one line of the machine-readable UI. undefined for what is none, and for output values and provisioner output, which may be secret. */
export function readMessage(line: string): Progress | Diagnostic | undefined {
  const message = parsed(line);
  if (message === undefined) return undefined;
  const { type = '', diagnostic } = message;
  if (type === 'diagnostic' && diagnostic !== undefined) {
    const { severity, summary = '', detail = '', address } = diagnostic;
    return { severity: severity === 'warning' ? 'warning' : 'error', summary, detail, ...(address === undefined ? {} : { address }) };
  }
  const about = message.hook ?? message.change;
  const kind = kinds[type];
  if (kind === undefined) return type === 'log' || type === 'version' ? { kind: 'other', text: message['@message'] ?? '' } : undefined;
  const address = about?.resource?.addr;
  const seconds = message.hook?.elapsed_seconds;
  return {
    kind,
    ...(address === undefined ? {} : { address }),
    ...(about?.action === undefined ? {} : { action: about.action }),
    ...(seconds === undefined ? {} : { seconds }),
    text: address === undefined ? (message['@message'] ?? '') : `${address}: ${words[kind]} (${about?.action ?? type})${seconds === undefined ? '' : ` after ${seconds} s`}`,
  };
}

const words: Readonly<Record<Progress['kind'], string>> = { planned: 'planned', drift: 'changed outside', started: 'started', progress: 'still going', done: 'done', failed: 'failed', summary: 'summary', other: '' };

export const isDiagnostic = (message: Progress | Diagnostic): message is Diagnostic => 'severity' in message;

function parsed(line: string): Message | undefined {
  if (!line.startsWith('{')) return undefined;
  try {
    const value: unknown = JSON.parse(line);
    return typeof value === 'object' && value !== null ? value : undefined;
  } catch {
    return undefined;
  }
}

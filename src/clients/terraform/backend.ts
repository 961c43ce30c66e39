import { readFile } from 'node:fs/promises';
import { codeOf } from '../../engine/guard/paths.js';
import type { Backend } from './port.js';

interface DataDirState {
  readonly backend?: { readonly type?: string; readonly config?: Readonly<Record<string, unknown>> };
}

const secret = /key$|secret|token|password|customer/i;
/** The object key, and not a secret one. */
const plain = /^(key|workspace_key_prefix)$/;

/** From TF_DATA_DIR/terraform.tfstate, which `init` writes; without it the backend is `local`. */
export async function readBackend(file: string, workspace: string | undefined): Promise<Backend> {
  let text: string;
  try {
    text = await readFile(file, 'utf8');
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return { type: 'local', settings: {} };
    throw error;
  }
  const { type, config = {} } = (JSON.parse(text) as DataDirState).backend ?? {};
  if (type === undefined) return { type: 'local', settings: {} };
  const settings: Record<string, string | boolean> = {};
  for (const [name, value] of Object.entries(config)) {
    if ((typeof value === 'string' || value === true) && (plain.test(name) || !secret.test(name))) settings[name] = value;
  }
  if (workspace !== undefined && workspace !== 'default') settings['workspace'] = workspace;
  return { type, settings };
}

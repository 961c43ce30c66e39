import { StepError } from '../../engine/errors.js';
import type { Diagnostic } from './messages.js';

/** Who holds a state lock, as Terraform tells it. */
export interface LockOwner {
  readonly id: string;
  readonly who: string;
  readonly created: string;
  readonly operation: string;
  readonly path: string;
}

/** The lock that an error message of any backend describes. */
export function lockOwner(text: string): LockOwner | undefined {
  const field = (name: string) => new RegExp(`^[\\s│]*${name}:[ \\t]*(.*)$`, 'm').exec(text)?.[1]?.trim() ?? '';
  const id = field('ID');
  return id === '' ? undefined : { id, who: field('Who'), created: field('Created'), operation: field('Operation'), path: field('Path') };
}

const mostTold = 3;

/** What a failed command means. `said`: its error diagnostics, or what it wrote to stderr. */
export function failure(tool: string, exitCode: number, said: readonly Diagnostic[] | string): StepError {
  const text = typeof said === 'string' ? said : said.map(({ summary, detail }) => `${summary}\n${detail}`).join('\n');
  if (/Error acquiring the state lock|Error locking state|state is already locked/i.test(text)) return new StateLocked(lockOwner(text));
  if (/Saved plan is stale/i.test(text)) return new StepError('plan-stale', 'the saved plan is stale: the state has changed since it was made and shown', { hint: 'Plan again, and have the new plan looked at.' });
  if (/does not have the expected content/i.test(text)) {
    return new StepError('state-digest-differs', 'the state object is not the one whose digest the lock table holds: somebody has put another version in its place', { hint: 'Copying an old version over the object cannot work: push it with a higher serial (terraform.state-rollback).' });
  }
  if (/Backend initialization required|please run "(terraform|tofu) init"/i.test(text)) return new StepError('not-initialized', `${tool} asks for init: the backend or the modules are not those that the run began with`);
  return new StepError('terraform-failed', `${tool} exited with ${exitCode}${told(said)}`);
}

/** `state-locked`: the command did nothing, because the backend has a lock. */
export class StateLocked extends StepError {
  constructor(readonly owner: LockOwner | undefined) {
    const by = owner === undefined ? 'somebody, whom the message does not name' : `${owner.who} since ${owner.created} (ID ${owner.id}, ${owner.operation}, ${owner.path})`;
    super('state-locked', `the state is locked by ${by}`, { retryable: true, hint: 'Ask its owner. Muster never forces a lock that is not its own.' });
  }
}

function told(said: readonly Diagnostic[] | string): string {
  if (typeof said === 'string') {
    const lines = said.split('\n').map((line) => line.replace(/^[│╷╵\s]+/, '').trimEnd()).filter((line) => line !== '');
    return lines.length === 0 ? '' : `: ${lines.slice(0, 6).join(' ').slice(0, 600)}`;
  }
  const errors = said.filter(({ severity }) => severity === 'error');
  const shown = errors.slice(0, mostTold).map(({ summary, detail, address }) => `${address === undefined ? '' : `${address}: `}${summary}${detail === '' ? '' : `: ${detail.split('\n')[0]?.slice(0, 300) ?? ''}`}`);
  return shown.length === 0 ? '' : `: ${shown.join('; ')}${errors.length > mostTold ? `; and ${errors.length - mostTold} more` : ''}`;
}

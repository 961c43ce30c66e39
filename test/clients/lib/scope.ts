import type { Effect } from '../../../src/engine/define-step.js';
import type { Guard } from '../../../src/engine/guard.js';
import type { Scope, Target } from '../../../src/engine/scope.js';

export interface RecordingScope extends Scope {
  /** What was asked for and let pass, in order. */
  readonly passed: { readonly target: Target; readonly effect: Effect }[];
}

/** A scope that asks `guard`, where one is given, and remembers what was let pass. */
export function scopeFor(guard?: Guard, runId = 'run-1'): RecordingScope {
  const passed: RecordingScope['passed'] = [];
  return {
    who: 'test',
    phase: 'prepare',
    runId,
    signal: new AbortController().signal,
    passed,
    access(target, effect) {
      return Promise.resolve().then(() => {
        guard?.check(target, effect);
        passed.push({ target, effect });
      });
    },
  };
}

/** Rejects every call. */
export function refusing(error: Error): Scope {
  return { ...scopeFor(), access: () => Promise.reject(error) };
}

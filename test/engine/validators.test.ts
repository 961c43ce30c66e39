import { describe, expect, it } from 'vitest';
import { realErrors, validator } from '../../src/engine/validators.js';

const event = { seq: 1, at: '2026-01-01T00:00:00Z', mono: '1', boot: 'b', prev: '0'.repeat(64) };
const errors = (name: string, value: unknown) => {
  const validate = validator(name);
  return validate(value) ? [] : realErrors(validate).map((error) => `${error.instancePath} ${error.keyword}`);
};

describe('validators', () => {
  it('take templates in the tolerant form only', () => {
    expect(errors('steps/wait.tolerant', { probe: 'p', until: '{{ inputs.what }}' })).toEqual([]);
    expect(errors('steps/wait.strict', { probe: 'p', until: '{{ inputs.what }}' })).toEqual(['/until enum']);
    expect(errors('steps/postgres.restore.tolerant', { repository: 'backups', into: 'copy', target: '{{ inputs.target }}' })).toEqual([]);
  });

  it('take no template for a whole `with`', () => expect(errors('steps/wait.tolerant', '{{ inputs.all }}')).toEqual([' type']));

  it('hold the data of an event to its type, with one error for one wrong field', () => {
    expect(errors('event', { ...event, type: 'cancel.requested', data: { by: 'me' } })).toEqual([]);
    expect(errors('event', { ...event, type: 'cancel.requested', data: { by: 5 } })).toEqual(['/data/by type']);
    expect(errors('event', { ...event, type: 'cancel.asked', data: {} })).toEqual(['/type enum']);
    expect(errors('event', { ...event, verdict: 'passed', type: 'run.finished', data: {} })).toEqual([' additionalProperties']);
  });

  it('hold evidence to its kind, in events too', () => {
    const residue = { kind: 'residue', data: { left: [{ system: 'process' }] } };
    expect(errors('evidence', residue)).toEqual(['/data/left/0 required']);
    expect(errors('event', { ...event, type: 'evidence.recorded', data: residue })).toEqual(['/data/data/left/0 required']);
  });

  it('are found by name only, never by a path', () => {
    for (const name of ['none', 'steps/../runbook', '../../package', '/etc/passwd', 'steps/nothing.strict']) expect(() => validator(name)).toThrow(RangeError);
  });
});

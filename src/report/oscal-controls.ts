/** Of NIST SP 800-53A rev. 5: the assessment objectives for which a restore drill is a record. */
const objectives: Readonly<Record<string, readonly string[]>> = {
  'cp-4': ['cp-4_obj.a-1', 'cp-4_obj.b'],
  'cp-9.1': ['cp-9.1_obj-1'],
  'cp-10': ['cp-10_obj-1'],
};

/** OSCAL ids of the NIST SP 800-53 controls among those that a runbook names: `nist-800-53/CP-9(1)` is `cp-9.1`. Each once, in order. */
export function controlIds(controls: readonly string[]): string[] {
  const ids = controls.flatMap((control) => {
    const found = /^nist-800-53\/([A-Za-z]{2})-(\d{1,2})(?:\((\d{1,2})\))?$/.exec(control);
    return found === null ? [] : [`${(found[1] ?? '').toLowerCase()}-${Number(found[2])}${found[3] === undefined ? '' : `.${Number(found[3])}`}`];
  });
  return [...new Set(ids)];
}

export function objectivesOf(control: string): readonly string[] {
  return (Object.hasOwn(objectives, control) ? objectives[control] : undefined) ?? [];
}

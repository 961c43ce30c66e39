/** A name for an object of this run, fit for Kubernetes: `muster-3f6d5a-backup`. A run's id ends in six hex digits of its own. */
export function drillName(runId: string, what: string): string {
  const mark = /([0-9a-f]{6})$/.exec(runId)?.[1] ?? runId.toLowerCase().replaceAll(/[^a-z0-9]+/g, '-').slice(-12);
  return `muster-${mark}-${what}`.slice(0, 50).replace(/-+$/, '');
}

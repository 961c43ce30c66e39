import type { Manifest } from '../../../clients/kubernetes/port.js';
import { runLabel, runMark } from '../../../engine/mark.js';

type Json = Readonly<Record<string, unknown>>;

/** The manifest with the run's label, also on the pods and claims that its controller will make from it. */
export function marked(manifest: Manifest, runId: string): Manifest {
  const label = { [runLabel]: runMark(runId) };
  const spec = member(manifest, 'spec');
  return { ...labelled(manifest, label), ...(spec === undefined ? {} : { spec: inSpec(spec, label) }) } as Manifest;
}

function inSpec(spec: Json, label: Json): Json {
  const template = member(spec, 'template');
  const job = member(spec, 'jobTemplate');
  const jobSpec = job === undefined ? undefined : member(job, 'spec');
  const claims: unknown = spec['volumeClaimTemplates'];
  return {
    ...spec,
    // Only what has a pod's shape: other kinds may mean something else by these names.
    ...(template === undefined || member(template, 'spec') === undefined ? {} : { template: labelled(template, label) }),
    ...(job === undefined || jobSpec === undefined ? {} : { jobTemplate: { ...labelled(job, label), spec: inSpec(jobSpec, label) } }),
    ...(Array.isArray(claims) ? { volumeClaimTemplates: claims.map((claim: unknown) => (isObject(claim) ? labelled(claim, label) : claim)) } : {}),
  };
}

function labelled(object: Json, label: Json): Json {
  const metadata = member(object, 'metadata') ?? {};
  return { ...object, metadata: { ...metadata, labels: { ...member(metadata, 'labels'), ...label } } };
}

function member(object: Json, name: string): Json | undefined {
  const value = object[name];
  return isObject(value) ? value : undefined;
}

function isObject(value: unknown): value is Json {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

import { catalog, type CatalogEntry } from './catalog.js';
import type { WatcherDefinition } from './define-watcher.js';
import type { ProbeDefinition, ProvisionerDefinition, StepDefinition } from './define-step.js';

export type Definition = StepDefinition | ProbeDefinition | ProvisionerDefinition | WatcherDefinition;

/** Definitions by type, loaded when asked for: a command pays only for the types that it uses. */
export interface Registry {
  readonly catalog: ReadonlyMap<string, CatalogEntry>;
  step(type: string): Promise<StepDefinition>;
  probe(type: string): Promise<ProbeDefinition>;
  provisioner(type: string): Promise<ProvisionerDefinition>;
  watcher(type: string): Promise<WatcherDefinition>;
}

type Loaders<D> = Readonly<Record<string, () => Promise<D>>>;

/** A registry over loaders by type. Asking for a type that is not there throws RangeError: documents are checked against the catalog first. */
export function lazyRegistry(steps: Loaders<StepDefinition>, probes: Loaders<ProbeDefinition>, provisioners: Loaders<ProvisionerDefinition>, watchers: Loaders<WatcherDefinition> = {}): Registry {
  const pick = async <D>(loaders: Loaders<D>, role: string, type: string): Promise<D> => {
    const load = Object.hasOwn(loaders, type) ? loaders[type] : undefined;
    if (load === undefined) throw new RangeError(`there is no ${role} ${type}`);
    return load();
  };
  return {
    get catalog() {
      return catalog();
    },
    step: (type) => pick(steps, 'step', type),
    probe: (type) => pick(probes, 'probe', type),
    provisioner: (type) => pick(provisioners, 'provisioner', type),
    watcher: (type) => pick(watchers, 'watcher', type),
  };
}

import { existsSync, readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import type { WatcherDefinition } from '../../src/engine/define-watcher.js';
import type { ProbeDefinition, ProvisionerDefinition, StepDefinition } from '../../src/engine/define-step.js';
import { messageOf } from '../../src/engine/errors.js';

interface Place {
  readonly type: string;
  /** From src/, without extension: `steps/postgres/sql`. */
  readonly module: string;
}
export type Found =
  | (Place & { readonly role: 'step'; readonly definition: StepDefinition })
  | (Place & { readonly role: 'probe'; readonly definition: ProbeDefinition })
  | (Place & { readonly role: 'provisioner'; readonly definition: ProvisionerDefinition })
  | (Place & { readonly role: 'watcher'; readonly definition: WatcherDefinition });

export interface Discovery {
  readonly found: readonly Found[];
  /** Files that hold no usable definition, and why. */
  readonly problems: readonly string[];
}

/** Every step, probe, watcher and provisioner: src/steps/<system>/<name>.ts and src/clients/provision/<type>.ts, loaded from dist/. */
export async function discover(root: string): Promise<Discovery> {
  const found: Found[] = [];
  const problems: string[] = [];
  const systems = folders(join(root, 'src', 'steps'));
  const modules = [
    ...systems.flatMap((system) => files(join(root, 'src', 'steps', system)).map((name) => ({ module: `steps/${system}/${name}`, type: system === 'general' ? name : `${system}.${name}` }))),
    ...files(join(root, 'src', 'clients', 'provision')).map((name) => ({ module: `clients/provision/${name}`, type: name })),
  ];
  for (const place of modules) {
    try {
      found.push(await load(root, place));
    } catch (error) {
      problems.push(`src/${place.module}.ts: ${messageOf(error)}`);
    }
  }
  found.sort((a, b) => (a.type < b.type ? -1 : a.type > b.type ? 1 : 0));
  for (const [index, entry] of found.entries()) if (found[index - 1]?.type === entry.type) problems.push(`src/${entry.module}.ts: the type ${entry.type} exists already in src/${found[index - 1]?.module}.ts`);
  return { found, problems };
}

async function load(root: string, place: Place): Promise<Found> {
  const exported = (await import(pathToFileURL(join(root, 'dist', 'src', `${place.module}.js`)).href)) as { step?: StepDefinition; probe?: ProbeDefinition; provisioner?: ProvisionerDefinition; watcher?: WatcherDefinition };
  const provision = place.module.startsWith('clients/');
  const { step, probe, provisioner, watcher } = exported;
  const one = provision ? provisioner : (step ?? probe ?? watcher);
  if (one === undefined || (!provision && [step, probe, watcher].filter((each) => each !== undefined).length > 1)) throw new Error(provision ? 'expected one export named provisioner' : 'expected one export named step, probe or watcher');
  if (one.type !== place.type) throw new Error(`the folder and file name say ${place.type}, the definition says ${one.type}`);
  const at = { type: one.type, module: place.module };
  if (provisioner !== undefined && provision) return { ...at, role: 'provisioner', definition: provisioner };
  if (step !== undefined) return { ...at, role: 'step', definition: step };
  if (probe !== undefined) return { ...at, role: 'probe', definition: probe };
  if (watcher !== undefined) return { ...at, role: 'watcher', definition: watcher };
  throw new Error('no definition');
}

const folders = (path: string) => entries(path).filter((name) => statSync(join(path, name)).isDirectory());
const files = (path: string) => entries(path).filter((name) => name.endsWith('.ts') && !name.endsWith('.d.ts')).map((name) => name.slice(0, -3));
const entries = (path: string) => (existsSync(path) ? readdirSync(path).toSorted() : []);

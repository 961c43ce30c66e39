import { Type, type Static } from 'typebox';
import { Check } from 'typebox/schema';
import { canonicalJson } from '../../engine/canonical.js';
import type { EventDataOf } from '../../engine/events.js';
import { strict } from '../../engine/schema.js';
import { StoreError, type EvidenceStore, type Lock, type StoredFile } from './port.js';

/** What a run leaves in the store before anything starts, as canonical JSON. */
export const RegistrationSchema = Type.Object(
  {
    schema: Type.Literal('muster/registration/v1'),
    run: Type.String(),
    plan: Type.String({ pattern: '^[0-9a-f]{64}$', description: "Digest of the plan's binding" }),
    runbook: Type.Object({ name: Type.String(), version: Type.String() }, strict),
    environment: Type.String(),
    operator: Type.String(),
    host: Type.String(),
    at: Type.String(),
  },
  strict,
);
export type Registration = Static<typeof RegistrationSchema>;

/** A run that was registered and whose bundle is not in the store. */
export type OpenRegistration = EventDataOf<'store.registered'>['open'][number];

const runName = /^\d{8}T\d{6}Z-[a-z][a-z0-9-]*-[0-9a-f]{6}$/;
const folders = { registered: ['registered', '.json'], refused: ['refused', '.json'], bundles: ['bundles', '.zip'] } as const;

export function bundleName(run: string): string {
  return `bundles/${run}.zip`;
}

/**
 * Registers a run once and for all, and says which others are open. Throws StoreError: then nothing may start.
 */
export async function register(store: EvidenceStore, registration: Registration): Promise<EventDataOf<'store.registered'>> {
  // First what is there, so that a store that cannot be read is not written to.
  const open = await openRegistrations(store);
  const lock = await store.create(`registered/${registration.run}.json`, `${canonicalJson(registration)}\n`);
  return { store: store.where, lock, open };
}

/** Notes that a registered run was refused before its fault, and that no bundle is due. It stays listed, with that. */
export async function noteRefused(store: EvidenceStore, run: string, reason: string, at: string): Promise<void> {
  await store.create(`refused/${run}.json`, `${canonicalJson({ schema: 'muster/refused/v1', run, reason, at })}\n`);
}

export async function deposit(store: EvidenceStore, run: string, zip: StoredFile): Promise<Lock | null> {
  return store.create(bundleName(run), zip);
}

/** Oldest first. What is listed under a name that is no run's is passed over. Throws StoreError. */
export async function openRegistrations(store: EvidenceStore): Promise<OpenRegistration[]> {
  const [registered, refused, bundles] = await Promise.all([runsIn(store, 'registered'), runsIn(store, 'refused'), runsIn(store, 'bundles')]);
  const open = [...registered.keys()].filter((run) => !bundles.has(run)).toSorted();
  const found: OpenRegistration[] = [];
  for (const run of open) found.push({ run, ...(await saysOf(store, run, registered.get(run) ?? null)), refused: refused.has(run) });
  return found;
}

async function runsIn(store: EvidenceStore, kind: keyof typeof folders): Promise<Map<string, string | null>> {
  const [folder, ending] = folders[kind];
  const named = (await store.list(folder)).map(({ name, version }) => [name.slice(folder.length + 1), version] as const).filter(([name]) => name.endsWith(ending));
  return new Map(named.map(([name, version]) => [name.slice(0, -ending.length), version] as const).filter(([run]) => runName.test(run)));
}

/** Nulls for a registration that cannot be read as one: that it is there says enough. */
async function saysOf(store: EvidenceStore, run: string, version: string | null): Promise<Pick<OpenRegistration, 'plan' | 'operator' | 'at'>> {
  const nothing = { plan: null, operator: null, at: null };
  try {
    const found: unknown = JSON.parse(await store.read({ name: `registered/${run}.json`, version }));
    if (!Check(RegistrationSchema, found)) return nothing;
    const { plan, operator, at, run: named } = found as Registration;
    return named === run ? { plan, operator, at } : nothing;
  } catch (error) {
    if (error instanceof SyntaxError || error instanceof StoreError) return nothing;
    throw error;
  }
}

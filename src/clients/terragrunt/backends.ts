import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { readBackend } from '../terraform/backend.js';

/** Where the states of all units lie that have a working copy below `folder`: what their backends were really configured with. */
export async function backendsIn(folder: string): Promise<{ readonly bucket: string; readonly key: string }[]> {
  const found: { bucket: string; key: string }[] = [];
  const look = async (at: string): Promise<void> => {
    for (const entry of await readdir(at, { withFileTypes: true }).catch(() => [])) {
      if (!entry.isDirectory()) continue;
      if (entry.name !== '.terraform') {
        await look(join(at, entry.name));
        continue;
      }
      const { type, settings } = await readBackend(join(at, entry.name, 'terraform.tfstate'), undefined).catch(() => ({ type: 'none', settings: {} as Readonly<Record<string, string | boolean>> }));
      const { bucket, key } = settings;
      if (type === 's3' && typeof bucket === 'string' && typeof key === 'string') found.push({ bucket, key });
    }
  };
  await look(folder);
  return found;
}

// Starts main.ts in a process of its own: Node 20 reads no TypeScript, vitest's vite does.
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { createServer, createServerModuleRunner } from 'vite';

const here = dirname(fileURLToPath(import.meta.url));
const server = await createServer({ root: here, configFile: false, logLevel: 'error', server: { middlewareMode: true, watch: null, ws: false, hmr: false }, optimizeDeps: { noDiscovery: true } });
await createServerModuleRunner(server.environments.ssr, { hmr: false }).import(join(here, 'main.ts'));

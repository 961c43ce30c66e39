import { describe } from 'vitest';

/** One real component that suites need: how to find it, how to get it. */
export interface Component {
  readonly name: string;
  /** False for what no tool of ours can install: without it its suites are NOT RUN in CI, too. */
  readonly installable?: false;
  /** Installs it where that is possible and says so; resolves to why it is not to be had, or undefined. */
  obtain(): Promise<string | undefined>;
}

/**
 * `describe` for a suite that needs `component`. Without it the suite is reported as NOT RUN with the way to get it; with CI=true
 * that is a failure, if it could have been installed.
 */
export async function requireComponent(component: Component): Promise<typeof describe | typeof describe.skip> {
  const missing = await component.obtain();
  if (missing === undefined) return describe;
  const message = `NOT RUN: ${component.name} is missing. ${missing}`;
  if (process.env['CI'] === 'true' && component.installable !== false) throw new Error(message);
  process.stderr.write(`${message}\n`);
  return describe.skip;
}

/** Likewise, for a suite that needs all of them. */
export async function requireComponents(...components: readonly Component[]): Promise<typeof describe | typeof describe.skip> {
  const suites = [];
  for (const component of components) suites.push(await requireComponent(component));
  return suites.find((suite) => suite === describe.skip) ?? describe;
}

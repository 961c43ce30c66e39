import { describe } from 'vitest';

/** One real component that suites need: how to find it, how to get it. */
export interface Component {
  readonly name: string;
  /** Installs it where that is possible and says so; resolves to why it is not to be had, or undefined. */
  obtain(): Promise<string | undefined>;
}

/**
 * `describe` for a suite that needs `component`. Without it the suite is reported as NOT RUN with the way to get it; with CI=true
 * that is a failure.
 */
export async function requireComponent(component: Component): Promise<typeof describe | typeof describe.skip> {
  const missing = await component.obtain();
  if (missing === undefined) return describe;
  const message = `NOT RUN: ${component.name} is missing. ${missing}`;
  if (process.env['CI'] === 'true') throw new Error(message);
  process.stderr.write(`${message}\n`);
  return describe.skip;
}

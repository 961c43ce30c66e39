import type { Effect } from '../../engine/define-step.js';
import type { Scope } from '../../engine/scope.js';
import type { LocalDetails, PostgresDetails } from './details.js';
import type { PostgresSession, SessionOptions } from './port.js';

export type LocalPostgres = PostgresDetails & { readonly local: LocalDetails };

/** What a repository adapter needs from the rest of the PostgreSQL adapter. */
export interface RepositoryTools {
  readonly scope: Scope;
  connect(connection: string, options: SessionOptions): Promise<PostgresSession>;
  /** Throws StepError `not-local`. */
  postgres(connection: string): LocalPostgres;
  /** Lets the guard see that files of a local server are about to be written. */
  announce(connection: string, effect: Effect): Promise<void>;
}

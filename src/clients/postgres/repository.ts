import type { BackupsDetails } from './details.js';
import { directoryRepository } from './directory/repository.js';
import { pgbackrestRepository } from './pgbackrest/repository.js';
import type { BackupRepository } from './port.js';
import type { RepositoryTools } from './repository-tools.js';

export function repositoryOf(named: { readonly name: string; readonly details: BackupsDetails }, tools: RepositoryTools): BackupRepository {
  return named.details.provider === 'pgbackrest' ? pgbackrestRepository(named.details, tools) : directoryRepository(named.details, tools);
}

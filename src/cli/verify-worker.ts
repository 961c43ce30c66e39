import { parentPort, workerData } from 'node:worker_threads';
import { verifyBundle } from '../evidence/verify.js';
import { optionsOf, type Trust } from './verify-many.js';

/** A thread of `muster verify`: is given paths of bundles, gives back what was found. An error ends it, and so the command. */
const options = optionsOf(workerData as Trust);
parentPort?.on('message', (path: string) => {
  void verifyBundle(path, options).then((verification) => parentPort?.postMessage({ ...verification, input: undefined }));
});

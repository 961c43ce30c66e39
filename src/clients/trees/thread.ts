import { parentPort } from 'node:worker_threads';
import { perform, type Answer, type Task } from './work.js';

/** The thread behind copyTree and removeTree: one task at a time. It loads nothing but this, for its start is part of every copy. */
parentPort?.on('message', (task: Task) => {
  void perform(task)
    .then(
      (bytes): Answer => ({ bytes }),
      ({ code, message }: NodeJS.ErrnoException): Answer => ({ bytes: 0, error: { code, message } }),
    )
    .then((answer) => parentPort?.postMessage(answer));
});

import { parentPort } from 'node:worker_threads';
import { perform, type Answer, type Task } from './work.js';

/** The thread behind copyTree and removeTree: one task at a time. It loads nothing but this, for its start is part of every copy. */
parentPort?.on('message', (task: Task) => {
  let answer: Answer;
  try {
    answer = { bytes: perform(task) };
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    answer = { bytes: 0, error: { code, message } };
  }
  parentPort?.postMessage(answer);
});

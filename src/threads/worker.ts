// Where a data-plane thread begins.

import { parentPort } from 'node:worker_threads';
import { runThread } from './thread-runner.ts';

if (parentPort === null) throw new Error('a data-plane thread is started by the main thread');
runThread(parentPort);

/** Entry of a load thread: makes its share of the storm, reports, and reads back. */
import { parentPort, workerData } from 'node:worker_threads';
import { assert } from '../base/assert.js';
import { serveLoad } from './serve-load.js';
import type { ThreadSetting, ToThread } from './thread-messages.js';

const port = parentPort;
assert(port !== null, 'a load thread is started as a thread');
const take = serveLoad(workerData as ThreadSetting, (message) => port.postMessage(message));
port.on('message', (message: ToThread) => take(message));

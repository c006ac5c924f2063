/**
 * A thread that scans everything, over and over and not too fast, until it is told to stop; then it
 * posts how many entries came. A thread, so that whoever measures does not wait for its decoding.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { parentPort, workerData } from 'node:worker_threads';
import { connect } from '../../src/client/client.js';

/** So many entries, then a rest: the scan stays open and is never idle. */
const STEP = 1000;
const REST_MS = 50;

const { address } = workerData as { address: string };
const kv = connect({ endpoints: [address], deadlineMs: 60_000 });
let count = 0;
let isStopped = false;
parentPort?.once('message', () => {
  isStopped = true;
});
while (!isStopped) {
  for await (const _ of kv.scan()) {
    count++;
    if (count % STEP !== 0) continue;
    await sleep(REST_MS);
    if (isStopped) break;
  }
}
await kv.close();
parentPort?.postMessage(count);

/** Entry of a shard thread: opens the engine, then turns until it is told to stop. */
import { workerData } from 'node:worker_threads';
import type { ShardBoot } from '../rpc/control.js';
import { ShardThread } from './shard-thread.js';

new ShardThread(workerData as ShardBoot).start();

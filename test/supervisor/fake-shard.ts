import { EventEmitter } from 'node:events';
import { type MessagePort, receiveMessageOnPort } from 'node:worker_threads';
import type { EngineOptions, FromShard, ShardBoot, ToShard } from '../../src/rpc/control.js';
import type { ShardThread } from '../../src/supervisor/shard-life.js';

export const ENGINE: EngineOptions = {
  shard: 0,
  dir: '/data/shard-000',
  storeUuid: '0'.repeat(32),
  keyBytesMax: 64,
  valueBytesMax: 256,
  batchBytesMax: 1024,
  walSync: 'always',
  walSyncIntervalMs: 100,
  walSegmentBytes: 65_536,
  walGroupBytesMax: 4096,
  walLiveBytesMax: 262_144,
  walSparesMax: 1,
  walIdleSealMs: 20,
  arenaBytes: 4096,
  table: { blockBytes: 4096, tableBytesMax: 65_536, bloomBitsPerKey: 10, restartInterval: 16 },
  readMode: 'pread',
  readVerify: 'first-touch',
  blockCacheBytes: 64 * 1024,
  mergeFanIn: 4,
  mergeGarbagePercentBusy: 100,
  mergeGarbagePercentQuiet: 35,
  mergeQuietMs: 1000,
  mergeBytesPerSecond: 0,
};

export const LINK_SIZES = {
  writeRequestBytes: 8192,
  readRequestBytes: 8192,
  writeReplyBytes: 8192,
  readReplyBytes: 8192,
};

/** A shard without a thread: says and does what the test tells it to. */
export class FakeShard extends EventEmitter implements ShardThread {
  readonly boot: ShardBoot;
  isTerminated = false;

  constructor(boot: ShardBoot) {
    super();
    this.boot = boot;
  }

  say(message: FromShard): void {
    this.boot.control.postMessage(message);
  }

  /** What was told to the shard since the last time. */
  heard(): ToShard[] {
    return readAll(this.boot.control);
  }

  /** As a thread ends: its ports are closed, then its exit is known. */
  exit(code = 1): void {
    this.emit('exit', code);
    this.boot.control.close();
    for (const port of this.boot.routerPorts) port.close();
  }

  async terminate(): Promise<void> {
    this.isTerminated = true;
  }
}

export function readAll<T>(port: MessagePort): T[] {
  const messages: T[] = [];
  for (;;) {
    const received: { message: T } | undefined = receiveMessageOnPort(port);
    if (received === undefined) return messages;
    messages.push(received.message);
  }
}

/** Lets messages that were posted arrive. */
export async function delivered(): Promise<void> {
  for (let i = 0; i < 3; i++) await new Promise((resolve) => setImmediate(resolve));
}

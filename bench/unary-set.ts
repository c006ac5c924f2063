/**
 * Unary Set over gRPC, one router thread, driven by h2load; beside it a server of the same library
 * that only answers. The durable count of our server must cover what was answered.
 *
 *   node dist/bench/unary-set.js [--seconds 20] [--connections 4] [--streams 64]
 */
import { fileURLToPath } from 'node:url';
import { runBench } from './support/rounds.js';
import { h2load, loadAckOnly, loadOurs } from './support/unary-load.js';

await runBench(
  {
    name: 'unary-set',
    settings: { seconds: 20, connections: 4, streams: 64 },
    contenders: {
      stormkv: (settings, dir) => loadOurs(h2load, 'grpc', settings, dir),
      'ack-only': (settings, dir) => loadAckOnly(h2load, 'grpc', settings, dir),
    },
  },
  fileURLToPath(import.meta.url),
);

/**
 * HTTP POST of one key, driven by wrk; beside it a server of the same library that only answers.
 *
 *   node dist/bench/http-post.js [--seconds 20] [--connections 128]
 */
import { fileURLToPath } from 'node:url';
import { runBench } from './support/rounds.js';
import { loadAckOnly, loadOurs, wrk } from './support/unary-load.js';

await runBench(
  {
    name: 'http-post',
    settings: { seconds: 20, connections: 128 },
    contenders: {
      stormkv: (settings, dir) => loadOurs(wrk, 'http', settings, dir),
      'ack-only': (settings, dir) => loadAckOnly(wrk, 'http', settings, dir),
    },
  },
  fileURLToPath(import.meta.url),
);

/** The benches that `npm run bench` knows, and which of their figures docs/BENCHMARKS.md draws. */

export interface Chart {
  figure: string;
  title: string;
  unit: string;
}

export interface CataloguedBench {
  /** Of its file and of its results. */
  name: string;
  title: string;
  /** What is measured against what, in a sentence or two. */
  about: string;
  charts: Chart[];
  /** Other figures that its table shows. */
  columns: string[];
}

const RATE: Chart = {
  figure: 'entriesPerSecond',
  title: 'Durable writes per second',
  unit: 'writes/s',
};
const CPU_COLUMNS = ['serverCpuMicrosPerEntry', 'clientCpuMicrosPerEntry'];
const LATENCY_COLUMNS = ['latencyMsP50', 'latencyMsP99'];

export const CATALOGUE: readonly CataloguedBench[] = [
  {
    name: 'service-write',
    title: 'Writes over gRPC',
    about:
      'Client and server on one machine, every write acknowledged after its fdatasync: ready-made ' +
      'runs, entries as a client of any language sends them, and 1,000 callers of set(). Beside ' +
      'it a server that only answers (pipe), and Redis with its log synced always.',
    charts: [RATE],
    columns: [...LATENCY_COLUMNS, ...CPU_COLUMNS, 'diskSyncMsP50', 'flushes', 'debtMiB'],
  },
  {
    name: 'unary-set',
    title: 'Single Sets over gRPC',
    about: 'One call for each write, made by h2load, beside a server that only answers.',
    charts: [{ figure: 'callsPerSecond', title: 'Calls per second', unit: 'calls/s' }],
    columns: ['latencyMsMean', 'serverCpuMicrosPerCall'],
  },
  {
    name: 'http-post',
    title: 'Single POSTs over HTTP',
    about: 'One request for each write, made by wrk, beside a server that only answers.',
    charts: [{ figure: 'callsPerSecond', title: 'Requests per second', unit: 'requests/s' }],
    columns: ['latencyMsMean', 'serverCpuMicrosPerCall'],
  },
  {
    name: 'batch-get',
    title: 'Reads through the client',
    about:
      'Random keys of a store that is flushed and in the page cache: 1,000 keys at a time, and ' +
      '1,000 callers of get(). Beside it redis-benchmark GET, which has its keys in memory.',
    charts: [{ figure: 'getsPerSecond', title: 'Keys read per second', unit: 'keys/s' }],
    columns: [...LATENCY_COLUMNS, 'serverCpuMicrosPerGet', 'clientCpuMicrosPerGet'],
  },
  {
    name: 'engine-write',
    title: 'The engine alone',
    about: 'One shard in process, synced batches of 512, beside LevelDB and LMDB from Node.',
    charts: [RATE],
    columns: ['entriesPerSecondTo500k', 'cpuMicrosPerEntry', 'diskWriteAmplification'],
  },
  {
    name: 'endless-storm',
    title: 'A storm that does not end',
    about:
      'One shard in process, random keys over 20 M for ten minutes as fast as it takes them; then ' +
      'five minutes of rest, everything overwritten, rest, half of it deleted, rest.',
    charts: [{ figure: 'entriesPerSecond', title: 'Durable writes per second', unit: 'writes/s' }],
    columns: [
      'rateLastFifth',
      'longestPauseMs',
      'latencyMsP999',
      'runsLastFifth',
      'tableMiBAtStormEnd',
      'tableMiBAfterRest',
      'tableMiBOverwrittenRested',
      'tableMiBHalfDeletedRested',
    ],
  },
  {
    name: 'ttl-storm',
    title: 'Entries that expire',
    about: 'A million keys that live for ten seconds, twenty times.',
    charts: [{ figure: 'acknowledged', title: 'Entries written in all', unit: 'entries' }],
    columns: ['longestPauseMs', 'tablesMax', 'tableMiBAfterRest', 'secondsUntilNoTable'],
  },
  {
    name: 'wal-replay',
    title: 'Replay of the log',
    about: 'How fast a shard reads back what was not flushed; first with cold code, then warm.',
    charts: [{ figure: 'recordsPerSecond', title: 'Records per second', unit: 'records/s' }],
    columns: ['firstRecordsPerSecond', 'cpuMicrosPerRecord', 'openSeconds'],
  },
  {
    name: 'killed-shard',
    title: 'A shard killed under load',
    about: 'From the kill of its thread until it serves again, and how much of that is replay.',
    charts: [{ figure: 'outageMs', title: 'Time without the shard', unit: 'ms' }],
    columns: ['recoveryMs', 'outageMsWithoutRecovery', 'recoveredRecords', 'recordsPerSecond'],
  },
  {
    name: 'sustained',
    title: 'Minutes of writes, merges included',
    about: 'Every write synced, beside RocksDB with batches of 1,000 and a log that is not synced.',
    charts: [RATE],
    columns: ['windowsWithin25Percent', 'slowestWindowRate', 'debtMiBLastFifthsTo', ...CPU_COLUMNS],
  },
  {
    name: 'tail',
    title: 'Waiting times at half load',
    about:
      'An open loop of writes and reads during flushes and merges; each call is timed from when it ' +
      'was due.',
    charts: [
      { figure: 'ackMsP99', title: 'Write acknowledged, 99th percentile', unit: 'ms' },
      { figure: 'getMsP99', title: 'Key read, 99th percentile', unit: 'ms' },
    ],
    columns: ['rate', 'ackMsP50', 'ackMsP999', 'ackMsMax', 'getMsP50', 'getMsP999'],
  },
  {
    name: 'slow-disk',
    title: 'Slow disks',
    about: 'The same with 2 and 10 ms added to each fdatasync, as on network disks.',
    charts: [RATE, { figure: 'getMsP99', title: 'Key read, 99th percentile', unit: 'ms' }],
    columns: ['latencyMsP50', 'ackMsP50', 'ackMsP99', 'getMsP50'],
  },
  {
    name: 'cold-start',
    title: 'The first second',
    about: 'The same short storm into a server that was just started, and into one that had one.',
    charts: [RATE],
    columns: [...LATENCY_COLUMNS, 'serverCpuMicrosPerEntry', 'startMs'],
  },
  {
    name: 'shard-count',
    title: 'Number of shards',
    about: 'The same memory in all, the same batches on their way for each shard.',
    charts: [
      { figure: 'serverCpuMicrosPerEntry', title: 'CPU of the server for a write', unit: 'µs' },
    ],
    columns: ['entriesPerSecond', 'groups', 'clientCpuMicrosPerEntry'],
  },
  {
    name: 'garbage',
    title: 'Garbage',
    about: 'Bytes that the threads of the server allocate on their heaps for a write.',
    charts: [{ figure: 'shardHeapBytesPerPut', title: 'On a shard’s thread', unit: 'bytes' }],
    columns: ['routerHeapBytesPerPut', 'poolHeapBytesPerPut', 'mainHeapBytesPerPut'],
  },
  {
    name: 'engine-read',
    title: 'Reads of the engine alone',
    about: 'One shard in process, beside LevelDB from Node.',
    charts: [{ figure: 'getsPerSecond', title: 'Keys read per second', unit: 'keys/s' }],
    columns: [
      'absentGetsPerSecond',
      'scannedPerSecond',
      'coldGetsPerSecond',
      'coldScannedPerSecond',
    ],
  },
];

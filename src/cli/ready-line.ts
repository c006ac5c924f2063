/**
 * The one line that `stormkv serve` prints on stdout when it serves, for people and programs alike:
 *
 *   stormkv 0.0.1 ready  grpc 127.0.0.1:8081  http 127.0.0.1:8080  shards 4  data ./data  recovered
 *   12,345 records in 87 ms  pid 123
 *
 * Fields are separated by two spaces. A data dir with unusual characters is written as a JSON
 * string. Where several routers have a gRPC port each, all are named: `grpc HOST:8081,HOST:8082`.
 * Shards that refuse their data follow at the end: `refused 1,3`.
 */
export interface ReadyInfo {
  version: string;
  /** HOST:PORT with the real ports. */
  grpcAddress: string;
  /** Of further routers, where each has a port of its own. */
  furtherGrpcAddresses: readonly string[];
  httpAddress: string;
  shardCount: number;
  dataDir: string;
  recoveredRecords: number;
  /** From the start to here. */
  startedMs: number;
  pid: number;
  refusedShards: number[];
}

const PLAIN_DIR = /^[\p{L}\p{N}_./~@+=,:-]+$/u;
const LINE = new RegExp(
  '^stormkv (?<version>\\S+) ready  grpc (?<grpc>\\S+)  http (?<http>\\S+)  ' +
    'shards (?<shards>\\d+)  data (?<data>"(?:[^"\\\\]|\\\\.)*"|\\S+)  ' +
    'recovered (?<records>[\\d,]+) records? in (?<ms>[\\d,]+) ms  pid (?<pid>\\d+)' +
    '(?:  refused (?<refused>\\d+(?:,\\d+)*))?$',
);

/** Without a line end. */
export function formatReadyLine(info: ReadyInfo): string {
  const records = info.recoveredRecords === 1 ? 'record' : 'records';
  const dir = PLAIN_DIR.test(info.dataDir) ? info.dataDir : JSON.stringify(info.dataDir);
  const fields = [
    `stormkv ${info.version} ready`,
    `grpc ${[info.grpcAddress, ...info.furtherGrpcAddresses].join(',')}`,
    `http ${info.httpAddress}`,
    `shards ${info.shardCount}`,
    `data ${dir}`,
    `recovered ${grouped(info.recoveredRecords)} ${records} in ${grouped(info.startedMs)} ms`,
    `pid ${info.pid}`,
  ];
  if (info.refusedShards.length > 0) fields.push(`refused ${info.refusedShards.join(',')}`);
  return fields.join('  ');
}

/** What the line says; undefined for any other line. */
export function parseReadyLine(line: string): ReadyInfo | undefined {
  const found = LINE.exec(line.trimEnd())?.groups;
  if (found === undefined) return undefined;
  const { version = '', grpc = '', http = '', data = '', refused } = found;
  const [grpcAddress = '', ...furtherGrpcAddresses] = grpc.split(',');
  return {
    version,
    grpcAddress,
    furtherGrpcAddresses,
    httpAddress: http,
    shardCount: Number(found['shards']),
    dataDir: data.startsWith('"') ? (JSON.parse(data) as string) : data,
    recoveredRecords: ungrouped(found['records']),
    startedMs: ungrouped(found['ms']),
    pid: Number(found['pid']),
    refusedShards: refused === undefined ? [] : refused.split(',').map(Number),
  };
}

/** 12345.6 → `12,346`. */
function grouped(value: number): string {
  return Math.round(value).toLocaleString('en-US');
}

function ungrouped(text: string | undefined): number {
  return Number((text ?? '').replaceAll(',', ''));
}

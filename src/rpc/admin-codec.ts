/** Protobuf and JSON of the messages of kv.Admin (proto/kv_admin.proto). */
import { StormError } from '../base/errors.js';
import type {
  ClusterStats,
  ReloadReport,
  RouterSituation,
  ShardSituation,
  Victim,
} from './admin-operations.js';
import { numberTag, ProtoReader } from './proto-reader.js';
import { ProtoWriter } from './proto-writer.js';

/** StatsResponse. */
export function encodeStatsResponse({ process, bounds, routers, shards }: ClusterStats): Buffer {
  const writer = new ProtoWriter(4096);
  const part = new ProtoWriter();
  part.text(1, process.version);
  part.number(2, process.pid);
  part.number(3, Math.round(process.uptimeMs));
  part.number(4, process.rssBytes);
  writer.message(1, part.resultView());
  writeMap(writer, 2, { ...bounds });
  for (const router of routers) {
    part.clear();
    writeRouter(part, router);
    writer.message(3, part.resultView());
  }
  for (const shard of shards) {
    part.clear();
    writeShard(part, shard);
    writer.message(4, part.resultView());
  }
  return writer.resultView();
}

/** KillWorkerRequest. Throws INVALID_ARGUMENT when it names no kind. */
export function decodeKillWorkerRequest(message: Uint8Array): Victim {
  let [kind, shard] = [0, 0];
  const reader = new ProtoReader(message);
  while (reader.next()) {
    if (reader.tag === numberTag(1)) kind = reader.number();
    else if (reader.tag === numberTag(2)) shard = reader.number();
    else reader.skip();
  }
  if (kind === 1) return { kind: 'shard', shard };
  if (kind === 2) return { kind: 'flusher' };
  if (kind === 3) return { kind: 'merger' };
  throw new StormError('INVALID_ARGUMENT', `kind must be SHARD, FLUSHER or MERGER: found ${kind}`);
}

/** ReloadResponse. */
export function encodeReloadResponse(report: ReloadReport): Buffer {
  const writer = new ProtoWriter();
  for (const path of report.applied) writer.text(1, path);
  for (const path of report.needRestart) writer.text(2, path);
  writer.number(3, report.securityChanged);
  writer.text(4, report.securityError);
  return writer.resultView();
}

function writeRouter(writer: ProtoWriter, { router, draining, inFlight }: RouterSituation): void {
  writer.number(1, router);
  writer.number(2, draining);
  writer.number(3, inFlight);
}

function writeShard(writer: ProtoWriter, shard: ShardSituation): void {
  writer.number(1, shard.shard);
  writer.text(2, shard.state);
  writer.text(3, shard.reason);
  writer.number(4, shard.epoch);
  writer.number(5, shard.recoveries);
  writer.number(6, Math.round(shard.recoveryMs));
  writer.number(7, shard.recoveredRecords);
  writeMap(writer, 8, shard.counters);
}

/** A map<string, double> is a repeated message of a key and a value. */
function writeMap(writer: ProtoWriter, field: number, map: Record<string, number>): void {
  const entry = new ProtoWriter(64);
  for (const [name, value] of Object.entries(map)) {
    entry.clear();
    entry.text(1, name);
    entry.double(2, value);
    writer.message(field, entry.resultView());
  }
}

/** Every source with logic has a test of its own; every test runs, and runs whole. */
import { hasLogic } from './lengths.js';
import type { Repository, Violation } from './repository.js';
import { lineOf } from './source-text.js';

/** Sources that the test of something larger covers, because alone they do nothing. */
const TESTED_ELSEWHERE: Readonly<Record<string, string>> = {
  'src/supervisor/slot-owners.ts': 'test/supervisor/cluster.test.ts',
  // Wiring of threads: nothing to call without one.
  'src/main.ts': 'test/cluster/start-and-stop.test.ts',
  'src/compactor/worker.ts': 'test/compactor/compactor-pool.test.ts',
  'src/router/worker.ts': 'test/cluster/start-and-stop.test.ts',
  'src/shard/worker.ts': 'test/cluster/start-and-stop.test.ts',
  'src/shard/shard-thread.ts': 'test/cluster/start-and-stop.test.ts',
  // A lock around the body of a command.
  'src/cli/locked-data-dir.ts': 'test/cli/reshard-command.test.ts',
  // The feed, from a real log to a real door.
  'src/router/watch.ts': 'test/cluster/feed.test.ts',
  'src/rpc/watch-stream.ts': 'test/cluster/feed.test.ts',
  'src/shard/changes-page.ts': 'test/cluster/feed.test.ts',
  // Halves of the router, which sees them as one.
  'src/router/batch-part.ts': 'test/router/batch-set.test.ts',
  'src/router/conditional-write.ts': 'test/router/conditions.test.ts',
  'src/router/expiry.ts': 'test/router/conditions.test.ts',
  'src/router/scan-lane.ts': 'test/router/scan.test.ts',
  'src/router/scans.ts': 'test/router/scan.test.ts',
  'src/router/shard-calls.ts': 'test/router/router.test.ts',
  // The engine's world, as a failed sync changes it.
  'src/shard/watched-env.ts': 'test/shard/failed-folder-sync.test.ts',
  // Parts of codecs, whose tests compare with another implementation.
  'src/rpc/failure-message.ts': 'test/rpc/messages.test.ts',
  'src/rpc/message-bytes.ts': 'test/rpc/messages.test.ts',
  'src/rpc/proto-reader.ts': 'test/rpc/kv-codec.test.ts',
  'src/rpc/proto-writer.ts': 'test/rpc/kv-codec.test.ts',
  // What judges a call, as it is seen from outside.
  'src/router/authority.ts': 'test/router/authorized-operations.test.ts',
  'src/router/authorized-desk.ts': 'test/router/secure-access.test.ts',
  // Parts of the HTTP door.
  'src/router/http-replies.ts': 'test/router/http-door.test.ts',
  'src/router/http-conditions.ts': 'test/router/http-operations.test.ts',
  'src/router/http-load.ts': 'test/router/http-operations.test.ts',
  'src/router/http-query.ts': 'test/router/http-operations.test.ts',
  'src/router/http-scan.ts': 'test/router/http-operations.test.ts',
  // Processes, disks and connections that are broken for real.
  'src/chaos/attack.ts': 'test/rigs/chaos.test.ts',
  'src/chaos/grpc-door.ts': 'test/rigs/chaos.test.ts',
  'src/chaos/run-chaos.ts': 'test/rigs/chaos.test.ts',
  'src/chaos/victim.ts': 'test/rigs/chaos.test.ts',
  // Parts of the gRPC door.
  'src/rpc/door-listener.ts': 'test/rpc/grpc-server.test.ts',
  'src/rpc/door-security.ts': 'test/rpc/door-guard.test.ts',
  'src/rpc/kv-service.ts': 'test/rpc/grpc-server.test.ts',
  'src/rpc/scan-stream.ts': 'test/rpc/grpc-operations.test.ts',
  // Parts of the client, against a real door or a channel that the test drives.
  'src/client/batch-write.ts': 'test/client/writer.test.ts',
  'src/client/channel.ts': 'test/client/client.test.ts',
  'src/client/conditional-set.ts': 'test/client/client.test.ts',
  'src/client/flight.ts': 'test/client/writer.test.ts',
  'src/client/options.ts': 'test/client/client.test.ts',
  'src/client/timers.ts': 'test/client/client.test.ts',
  'src/client/writable.ts': 'test/client/client.test.ts',
  'src/client/write-lane.ts': 'test/client/writer.test.ts',
  // Backups and restores, which mean something only together and on real files.
  'src/cli/restore-command.ts': 'test/cli/backup-command.test.ts',
  'src/cli/task-progress.ts': 'test/cli/backup-command.test.ts',
  'src/offline/restore-backup.ts': 'test/offline/verify-backup.test.ts',
  'src/rpc/admin-tasks.ts': 'test/cluster/backup.test.ts',
  'src/shard/shard-desk.ts': 'test/cluster/backup.test.ts',
  'src/supervisor/backup-run.ts': 'test/cluster/backup.test.ts',
  'src/supervisor/operator-work.ts': 'test/cluster/backup.test.ts',
  'src/supervisor/shard-questions.ts': 'test/cluster/backup.test.ts',
  // Parts of salvage, against damaged data dirs.
  'src/cli/salvage-command.ts': 'test/offline/salvage.test.ts',
  'src/offline/salvaged-log.ts': 'test/offline/salvage.test.ts',
  'src/offline/salvaged-table.ts': 'test/offline/salvage.test.ts',
  // The scrub, on a real cluster with a damaged file.
  'src/cli/scrub-command.ts': 'test/cluster/scrub.test.ts',
  'src/compactor/run-scrub.ts': 'test/cluster/scrub.test.ts',
  'src/shard/damaged-table.ts': 'test/cluster/scrub.test.ts',
  'src/supervisor/scrub-pass.ts': 'test/cluster/scrub.test.ts',
  // Parts of the load generator, with its threads and a server.
  'src/storm/fixed-work.ts': 'test/storm/key-ledger.test.ts',
  'src/storm/keyed-work.ts': 'test/storm/key-ledger.test.ts',
  'src/storm/live-view.ts': 'test/cli/storm-command.test.ts',
  'src/storm/load-threads.ts': 'test/cli/storm-command.test.ts',
  'src/storm/make-work.ts': 'test/storm/key-ledger.test.ts',
  'src/storm/numbered-keys.ts': 'test/storm/key-ledger.test.ts',
  'src/storm/run-storm.ts': 'test/cli/storm-command.test.ts',
  'src/storm/serve-load.ts': 'test/cli/storm-command.test.ts',
  'src/storm/storm-door.ts': 'test/cli/storm-command.test.ts',
  'src/storm/storm-options.ts': 'test/cli/storm-command.test.ts',
  'src/storm/storm-report.ts': 'test/cli/storm-command.test.ts',
  'src/storm/storm-result.ts': 'test/cli/storm-command.test.ts',
  'src/storm/storm-timeline.ts': 'test/cli/storm-command.test.ts',
  'src/storm/verify.ts': 'test/storm/key-ledger.test.ts',
};

export function checkTestsExist(repository: Repository): Violation[] {
  return repository.sources
    .filter((file) => file.isIn('src') && !(file.path in TESTED_ELSEWHERE) && hasLogic(file))
    .flatMap(({ path }) => {
      if (repository.file(testOf(path)) !== undefined) return [];
      return [{ path, line: 1, problem: `has no test: write ${testOf(path)}` }];
    });
}

/** An exception must name a file that exists, and a test that does, and be needed. */
export function checkTestExceptions(repository: Repository): Violation[] {
  return Object.entries(TESTED_ELSEWHERE).flatMap(([path, test]) => {
    const found = (problem: string) => [{ path, line: 1, problem }];
    if (repository.file(path) === undefined)
      return found('is excepted in companions.ts, but no file');
    if (repository.file(test) === undefined)
      return found(`is covered by ${test}, which is no file`);
    if (repository.file(testOf(path)) === undefined) return [];
    return found('is excepted in companions.ts, but has a test of its own');
  });
}

export function checkTestsRun(repository: Repository): Violation[] {
  const tests = repository.sources.filter(({ path }) => path.endsWith('.test.ts'));
  return tests.flatMap(({ path, code }) => {
    const violations: Violation[] = [];
    if (!/(\.|^)run\(\)/m.test(code)) {
      violations.push({ path, line: 1, problem: 'never runs its suite: end with run()' });
    }
    const only = code.search(/\.only\b/);
    if (only >= 0)
      violations.push({ path, line: lineOf(code, only), problem: 'runs one test only' });
    return violations;
  });
}

function testOf(path: string): string {
  return path.replace(/^src\//, 'test/').replace(/\.ts$/, '.test.ts');
}

/**
 * An fdatasync of the log that fails: the shard must acknowledge nothing more on that file, start
 * anew with what it had acknowledged, and trust nothing that only the page cache may have. The
 * server is a process of its own, from a copy of the build whose fdatasync reports EIO once when a
 * file asks for it; the other shards never notice.
 */
import { existsSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import * as assert from 'uvu/assert';
import { smallConfig, until } from '../cluster/cluster-rig.js';
import { checkKeys, type Door, GrpcDoor } from '../harness/load-client.js';
import { type Edit, removeStaleCopies, withEditedBuild } from '../harness/mutants.js';
import { ServerProcess } from '../harness/server-process.js';
import { everyoneWrites, judgeFailures, makeShardWriters } from '../harness/shard-load.js';
import { suite } from '../harness/suite.js';
import { withTempDir } from '../harness/temp-dir.js';

const { test, run } = suite('Failed sync of the log');
const FAILURES = Number(process.env['RIG_SYNC_FAILURES'] ?? 10);
const SHARDS = 2;
const SEED = 5;

/** While a file `order.shard-00n` exists, the next sync of a segment in that folder fails, once. */
function failingSync(order: string): Edit[] {
  const file = 'src/storage/node-file-system.js';
  const path = JSON.stringify(order);
  return [
    { file, find: 'import { closeSync,', replace: 'import { existsSync, closeSync,' },
    {
      file,
      find: 'fdatasyncSync(this.#openFd());',
      // The folder's name is in the file's name: shards race for a file that one of them removes.
      replace: `if (this.path.endsWith('.seg')) {
        const order = ${path} + '.' + this.path.match(/shard-\\d+/)[0];
        if (existsSync(order)) {
          unlinkSync(order);
          throw Object.assign(new Error('EIO: i/o error, fdatasync'), { code: 'EIO' });
        }
      }
      fdatasyncSync(this.#openFd());`,
    },
  ];
}

async function failSyncs(dir: string, order: string, build: string): Promise<void> {
  const dataDir = join(dir, 'data');
  mkdirSync(dataDir);
  const configFile = join(dir, 'kv.config.json');
  const config = { ...smallConfig(dataDir, SHARDS), log: { level: 'warn' as const } };
  const options = { shards: SHARDS, writersPerShard: 8, valueBytesMax: 1000, seed: SEED };
  const writers = makeShardWriters(options);
  const wanted = () => writers.map(({ writer }) => ({ writer, keys: writer.oracle.keys }));
  let server = ServerProcess.spawn(config, configFile, build);
  try {
    const { grpcAddress } = await server.ready;
    const doors: Door[] = [0, 1].map(() => new GrpcDoor(grpcAddress));
    const writing = writers.map((writer, i) => writer.write(doors[i % 2] as Door));
    for (let n = 0; n < FAILURES; n++) {
      const victim = n % SHARDS;
      await everyoneWrites(writers);
      const ordered = `${order}.shard-00${victim}`;
      writeFileSync(ordered, '');
      await until(() => !existsSync(ordered));
      await everyoneWrites(writers);
      judgeFailures(writers, victim);
    }
    for (const { writer } of writers) writer.stop();
    await Promise.all(writing);
    assert.equal(await checkKeys(doors, wanted()), []);
    for (const door of doors) door.close();
    const names = readdirSync(dataDir, { recursive: true }).map(String);
    assert.not(
      names.some((name) => name.endsWith('DISTRUST')),
      `all was made safe: ${names}`,
    );
    await server.kill();
    server = ServerProcess.spawn(config, configFile);
    const door = new GrpcDoor((await server.ready).grpcAddress);
    assert.equal(await checkKeys([door], wanted()), [], 'and after another death');
    door.close();
  } finally {
    for (const { writer } of writers) writer.stop();
    await server.kill();
  }
  const sum = { acknowledged: 0, unknown: 0 };
  for (const { writer } of writers) {
    sum.acknowledged += writer.oracle.acknowledged;
    sum.unknown += writer.oracle.unknown;
  }
  console.log(JSON.stringify({ syncFailures: FAILURES, ...sum, lost: 0 }));
  assert.ok(sum.unknown > 0, 'writes were in flight');
}

removeStaleCopies();

test(
  `costs nothing that was acknowledged, ${FAILURES} times, and no other shard a call`,
  () =>
    withTempDir((dir) => {
      const order = join(dir, 'fail-a-sync');
      return withEditedBuild(failingSync(order), (build) => failSyncs(dir, order, build));
    }),
  90_000,
);

run();

import * as assert from 'uvu/assert';
import type { RemoveJob } from '../../src/rpc/jobs.js';
import { DoomedTables } from '../../src/shard/doomed-tables.js';
import { InlineJobs } from '../harness/engine-rig.js';
import { ManualClock } from '../harness/manual-clock.js';
import { MemoryFileSystem } from '../harness/memory-file-system.js';
import { SeededRandom } from '../harness/seeded-random.js';
import { suite } from '../harness/suite.js';

const { test, run } = suite('Tables that nobody reads any more');

function house(names: readonly string[]) {
  const fs = new MemoryFileSystem();
  fs.makeDir('/d');
  for (const name of names) fs.open(`/d/${name}`, 'create');
  const clock = new ManualClock();
  const jobs = new InlineJobs(fs);
  const arenas = { take: () => undefined, give: () => {}, atHand: false };
  const env = { fs, clock, jobs, arenas, random: new SeededRandom(1) };
  return { fs, clock, jobs, doomed: new DoomedTables(env, '/d') };
}

test('are removed by the pool, some time after they were given up', () => {
  const { fs, clock, jobs, doomed } = house(['a', 'b', 'c']);
  assert.is(doomed.dueMs, Number.POSITIVE_INFINITY);
  doomed.add('a');
  clock.advance(100);
  doomed.add('b');
  const dueMs = doomed.dueMs;
  doomed.run(clock.monotonicMs());
  assert.is(jobs.count, 0, 'the maps may still be there');
  clock.advance(dueMs - clock.monotonicMs());
  doomed.run(clock.monotonicMs());
  const [job] = jobs.waiting('remove') as RemoveJob[];
  assert.equal(job?.names, ['a']);
  assert.equal(fs.list('/d'), ['a', 'b', 'c'], 'the shard itself removes nothing');
  clock.advance(1000);
  doomed.run(clock.monotonicMs());
  jobs.runAll('remove');
  assert.equal(fs.list('/d'), ['c']);
  assert.is(doomed.dueMs, Number.POSITIVE_INFINITY);
});

test('are removed at once when the shard ends, as far as they can be', () => {
  const { fs, doomed } = house(['a', 'b']);
  for (const name of ['a', 'gone already', 'b']) doomed.add(name);
  doomed.close();
  assert.equal(fs.list('/d'), []);
});

run();

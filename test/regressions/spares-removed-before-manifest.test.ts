/**
 * A process died with a manifest edit in the page cache that was not synced. The next one read it,
 * distrusted the page cache because of an earlier failed sync, and removed the segments that the
 * edit had made spare, before its own manifest was durable. Then the power failed: the state on
 * disk still needed them, and the shard refused to open.
 */
import * as assert from 'uvu/assert';
import { CrashMachine } from '../harness/crash-machine.js';
import type { Write } from '../harness/crash-model.js';
import { SimulatedDisk } from '../harness/simulated-disk.js';
import { SimulatedCrash } from '../harness/simulated-operations.js';
import { suite } from '../harness/suite.js';

const { test, run } = suite('Recovery with distrust');
const BATCH: Write[] = [{ key: 'a', value: '1' }];

/** A store whose second batch could not be synced, with its process dead. */
function afterFailedSync(): CrashMachine {
  const machine = new CrashMachine(new SimulatedDisk(), 1);
  machine.open();
  machine.put(BATCH);
  machine.disk.fail({ kind: 'sync', code: 'EIO', path: '.seg' });
  assert.throws(() => machine.put(BATCH));
  machine.kill();
  return machine;
}

/** Opens the store and stops the world before the n-th operation of that kind. */
function openUntil(machine: CrashMachine, kind: string, part: string, n: number): boolean {
  let left = n;
  machine.disk.beforeOperation = (operation) => {
    if (operation.kind === kind && operation.path.includes(part) && --left === 0) {
      throw new SimulatedCrash();
    }
  };
  try {
    machine.launch();
  } catch {
    // The world has stopped, or the flush before serving could not come to its end.
  }
  machine.disk.beforeOperation = undefined;
  return left <= 0;
}

test('keeps every segment until its own manifest is durable', () => {
  let deaths = 0;
  for (let n = 1; ; n++) {
    const machine = afterFailedSync();
    if (!openUntil(machine, 'sync', 'manifest', n)) break;
    deaths++;
    machine.kill();
    const isStopped = openUntil(machine, 'rename', 'CURRENT', 1);
    assert.ok(isStopped, 'an opening replaces CURRENT');
    for (let seed = 1; seed <= 40; seed++) {
      const { disk, expected } = machine;
      const copy = new CrashMachine(disk.clone(), 1 + seed, machine.options, expected);
      copy.losePower(seed, 'subset');
      copy.open();
    }
  }
  assert.ok(deaths >= 2, `${deaths} deaths`);
});

run();

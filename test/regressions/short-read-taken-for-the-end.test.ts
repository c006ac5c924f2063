/**
 * A read that ended early was taken for the end of what it read: a segment of the log lost its last
 * frames without a word, a manifest its last edits.
 */
import * as assert from 'uvu/assert';
import { CorruptionError } from '../../src/base/errors.js';
import { CrashMachine } from '../harness/crash-machine.js';
import { SimulatedDisk } from '../harness/simulated-disk.js';
import { suite } from '../harness/suite.js';

const { test, run } = suite('A short read');

test('of a log or a manifest is refused, and the next opening has everything', () => {
  const machine = new CrashMachine(new SimulatedDisk(), 1);
  machine.open();
  machine.put([{ key: 'a', value: '1' }]);
  machine.flush();
  machine.put([{ key: 'b', value: '2' }]);
  let refused = 0;
  for (const path of ['.seg', 'manifest']) {
    for (let nth = 1; ; nth++) {
      machine.kill();
      machine.disk.fail({ kind: 'read', code: 'SHORT', path, nth });
      try {
        machine.open();
        break;
      } catch (error) {
        assert.instance(error, CorruptionError, `${path}, read ${nth}`);
        machine.abandon();
        refused++;
      }
    }
  }
  assert.ok(refused >= 3, `${refused} openings refused`);
  machine.kill();
  machine.open();
});

run();

import * as assert from 'uvu/assert';
import { CorruptionError, StormError } from '../../src/base/errors.js';
import { isDiskFailure, isDistrusted, leaveDistrust } from '../../src/storage/distrust.js';
import { SimulatedDisk } from '../harness/simulated-disk.js';
import { suite } from '../harness/suite.js';
import { systemError } from '../harness/system-error.js';

const { test, run } = suite('distrust');

test('a word left is found by the next life, and gone with the page cache', () => {
  const disk = new SimulatedDisk();
  disk.makeDir('/shard');
  disk.syncAll();
  assert.not(isDistrusted(disk, '/shard'));
  leaveDistrust(disk, '/shard');
  leaveDistrust(disk, '/shard');
  disk.processCrash();
  assert.ok(isDistrusted(disk, '/shard'));
  disk.crash(1, 'synced-only');
  assert.not(isDistrusted(disk, '/shard'));
});

test('a disk that takes nothing is no further failure', () => {
  const disk = new SimulatedDisk();
  disk.makeDir('/shard');
  disk.fail({ kind: 'open', code: 'EROFS', sticky: true });
  leaveDistrust(disk, '/shard');
});

test('a failed call of the system is told from a refusal of ours', () => {
  const eio = systemError('EIO', 'fdatasync', '/f');
  const wrapped = new StormError('UNAVAILABLE', 'cannot sync', { cause: eio });
  assert.ok(isDiskFailure(eio));
  assert.ok(isDiskFailure(wrapped));
  assert.ok(isDiskFailure(new StormError('INTERNAL', 'outer', { cause: wrapped })));
  assert.not(isDiskFailure(new StormError('UNAVAILABLE', 'no')));
  assert.not(isDiskFailure(new CorruptionError('bad', { file: '/f', offset: 0 })));
  assert.not(isDiskFailure(new Error('bug')));
  assert.not(isDiskFailure(undefined));
});

run();

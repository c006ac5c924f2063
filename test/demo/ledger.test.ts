import * as assert from 'uvu/assert';
import { Ledger } from '../../src/demo/ledger.js';
import { suite } from '../harness/suite.js';

const { test, run } = suite('Ledger');

test('counts every answer once, however often it was sent and acknowledged', () => {
  const ledger = new Ledger(2, 3);
  ledger.submit(0, 0);
  ledger.submit(0, 0);
  ledger.submit(1, 2);
  ledger.acknowledge(1, 2);
  ledger.acknowledge(1, 2);
  // A resend after the acknowledgement takes nothing back.
  ledger.submit(1, 2);
  assert.equal([ledger.submittedCount, ledger.acknowledgedCount], [2, 1]);
  assert.ok(ledger.isAcknowledged(1, 2));
  assert.not.ok(ledger.isAcknowledged(0, 0));
});

test('refuses what was never planned or never sent', () => {
  const ledger = new Ledger(2, 3);
  assert.throws(() => ledger.acknowledge(0, 1), /only what was submitted/);
  assert.throws(() => ledger.submit(0, 3), /planned/);
  assert.throws(() => ledger.submit(2, 0), /planned/);
});

run();

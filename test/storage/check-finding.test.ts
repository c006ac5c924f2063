import * as assert from 'uvu/assert';
import { CorruptionError } from '../../src/base/errors.js';
import {
  type Finding,
  findingOf,
  firstNonZero,
  reporting,
} from '../../src/storage/check-finding.js';
import { suite } from '../harness/suite.js';

const { test, run } = suite('Finding');

test('takes the place of a damage from the error, else from who asked', () => {
  const site = { file: 'a', offset: 7, sequence: 3 };
  const damage = findingOf(new CorruptionError('It is broken (really)', site), 'b', 1);
  assert.equal(damage, { severity: 'damage', file: 'a', offset: 7, what: 'It is broken (really)' });
  const other = findingOf(new Error('EIO'), 'b', 1);
  assert.equal(other, { severity: 'damage', file: 'b', offset: 1, what: 'EIO' });
});

test('reporting gives what was read, or reports why it could not be', () => {
  const findings: Finding[] = [];
  const found = (finding: Finding) => findings.push(finding);
  assert.is(
    reporting(found, 'f', 0, () => 5),
    5,
  );
  const nothing = reporting(found, 'f', 9, () => {
    throw new Error('no');
  });
  assert.is(nothing, undefined);
  assert.equal(findings, [{ severity: 'damage', file: 'f', offset: 9, what: 'no' }]);
});

test('firstNonZero looks at the range only', () => {
  const bytes = Uint8Array.of(1, 0, 0, 4, 5);
  assert.is(firstNonZero(bytes, 0, 5), 0);
  assert.is(firstNonZero(bytes, 1, 5), 3);
  assert.is(firstNonZero(bytes, 1, 3), -1);
  assert.is(firstNonZero(bytes, 5, 5), -1);
});

run();

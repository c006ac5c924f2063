import * as assert from 'uvu/assert';
import { KillOracle } from './kill-oracle.js';
import { suite } from './suite.js';

const { test, run } = suite('KillOracle');
const KEY = 'w/1';

function oracleWith(acknowledgedPuts: number): KillOracle {
  const oracle = new KillOracle('w', 100);
  for (let i = 0; i < acknowledgedPuts; i++) oracle.acknowledge(oracle.beginPut(KEY));
  return oracle;
}

function faultOf(oracle: KillOracle, found: string | undefined): string | undefined {
  return oracle.check(KEY, found)?.fault;
}

test('accepts the last acknowledged value only', () => {
  assert.is(faultOf(oracleWith(3), oracleWith(3).valueOf(KEY, 3)), undefined);
  assert.is(faultOf(oracleWith(3), oracleWith(3).valueOf(KEY, 2)), 'lost');
  assert.is(faultOf(oracleWith(3), undefined), 'lost');
});

test('accepts an acknowledged delete only as absence', () => {
  const oracle = oracleWith(1);
  oracle.acknowledge(oracle.beginDelete(KEY));
  assert.is(faultOf(oracle, oracle.valueOf(KEY, 1)), 'lost');
  assert.is(faultOf(oracle, undefined), undefined);
});

test('lets a write of unknown outcome be there or not, until a reader has seen which', () => {
  const oracle = oracleWith(1);
  const { value } = oracle.beginPut(KEY);
  assert.is(oracle.unknown, 1);
  assert.is(faultOf(oracle, value), undefined);
  assert.is(faultOf(oracle, oracle.valueOf(KEY, 1)), 'lost');
  const other = oracleWith(1);
  const attempt = other.beginPut(KEY);
  assert.is(faultOf(other, other.valueOf(KEY, 1)), undefined);
  assert.is(faultOf(other, attempt.value), 'phantom', 'it came back after a reader missed it');
});

test('lets an unknown delete take the value away', () => {
  const oracle = oracleWith(1);
  oracle.beginDelete(KEY);
  assert.is(faultOf(oracle, undefined), undefined);
});

test('forgets unknown attempts once a later write of the key is acknowledged', () => {
  const oracle = oracleWith(0);
  const unknown = oracle.beginPut(KEY);
  oracle.acknowledge(oracle.beginPut(KEY));
  assert.is(faultOf(oracle, unknown.value), 'lost');
});

test('finds refused writes that were applied', () => {
  const oracle = oracleWith(1);
  const attempt = oracle.beginPut(KEY);
  oracle.refuse(attempt);
  assert.is(faultOf(oracle, attempt.value), 'refused-yet-applied');
  assert.is(oracle.refused, 1);
});

test('finds values that nobody wrote under the key', () => {
  const oracle = oracleWith(2);
  assert.is(faultOf(oracle, oracle.valueOf('w/2', 1)), 'phantom');
  assert.is(faultOf(oracle, oracle.valueOf(KEY, 3)), 'phantom');
  assert.is(faultOf(oracle, `${oracle.valueOf(KEY, 2)}x`), 'phantom');
  assert.is(faultOf(oracle, 'garbage'), 'phantom');
});

test('knows which keys were attempted since they were compared', () => {
  const oracle = oracleWith(1);
  oracle.beginPut('w/2');
  assert.equal(oracle.uncheckedKeys, [KEY, 'w/2']);
  faultOf(oracle, oracle.valueOf(KEY, 1));
  assert.equal(oracle.uncheckedKeys, ['w/2']);
  assert.equal(oracle.keys, [KEY, 'w/2']);
  assert.is(oracle.checked, 1);
});

run();

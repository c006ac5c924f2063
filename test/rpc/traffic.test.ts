import * as assert from 'uvu/assert';
import {
  BREAKER_SCOPES,
  BREAKER_WORDS,
  CALL_CLASSES,
  CALLER_PLACES,
  TrafficMemory,
} from '../../src/rpc/traffic.js';
import { suite } from '../harness/suite.js';

const { test, run } = suite('TrafficMemory');

test('its parts do not overlap', () => {
  const memory = TrafficMemory.allocate();
  const traffic = new TrafficMemory(memory);
  const scopes = ['global', ...CALL_CLASSES] as const;
  scopes.forEach((scope, i) => void traffic.breakerWords(scope).fill(i + 1));
  const buckets = [...scopes.map((scope) => TrafficMemory.bucketOf(scope))];
  buckets.push(TrafficMemory.bucketOfPlace(0), TrafficMemory.bucketOfPlace(CALLER_PLACES - 1));
  assert.is(new Set(buckets).size, buckets.length);
  for (const bucket of buckets) traffic.times[bucket] = -1 - bucket;
  traffic.tags.fill(77);
  scopes.forEach((scope, i) => {
    const words = traffic.breakerWords(scope);
    assert.is(words.length, BREAKER_WORDS);
    assert.ok(words.every((word) => word === i + 1));
  });
  for (const bucket of buckets) assert.is(traffic.times[bucket], -1 - bucket);
  assert.ok(BREAKER_SCOPES.includes('caller'));
});

run();

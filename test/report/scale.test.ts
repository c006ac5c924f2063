import * as assert from 'uvu/assert';
import {
  clockText,
  linearScale,
  logScale,
  placeOn,
  shortNumber,
  timeScale,
} from '../../src/report/scale.js';
import { suite } from '../harness/suite.js';

const { test, run } = suite('scale');

test('names round values up to above the highest', () => {
  assert.equal(linearScale(87, 4).ticks, [0, 50, 100]);
  assert.equal(linearScale(0.3, 3).ticks, [0, 0.1, 0.2, 0.3]);
  assert.equal(linearScale(100, 4).ticks, [0, 50, 100]);
  assert.equal(logScale(0.3, 450).ticks, [0.1, 1, 10, 100, 1000]);
  assert.equal(timeScale(95, 4).ticks, [0, 30, 60, 90]);
  assert.equal(timeScale(10_000_000, 4).ticks.length, 4);
});

test('places values between the ends, and what is beyond at the end', () => {
  const linear = linearScale(100, 4);
  assert.equal([placeOn(linear, 0), placeOn(linear, 50), placeOn(linear, 500)], [0, 0.5, 1]);
  const log = logScale(1, 100);
  assert.equal([placeOn(log, 0), placeOn(log, 10), placeOn(log, 1000)], [0, 0.5, 1]);
});

test('writes times and numbers shortly', () => {
  assert.equal([0, 75, 4000].map(clockText), ['0:00', '1:15', '1:06:40']);
  assert.equal([0, 0.05, 999, 12_345, 2e6].map(shortNumber), ['0', '0.05', '999', '12.3k', '2M']);
});

run();

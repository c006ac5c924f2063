import * as assert from 'uvu/assert';
import { SeededRandom } from './seeded-random.js';
import { suite } from './suite.js';

const { test, run } = suite('SeededRandom');

test('repeats itself for a seed and differs between neighbours', () => {
  const draw = (seed: number) => [...new SeededRandom(seed).fill(new Uint8Array(16))].join();
  assert.is(draw(1), draw(1));
  const draws = new Set(Array.from({ length: 1000 }, (_, seed) => draw(seed)));
  assert.is(draws.size, 1000);
  assert.is.not(draw(1), draw(1 + 2 ** 32));
});

test('spreads integers evenly and keeps floats below 1', () => {
  const random = new SeededRandom(5);
  const counts = new Array<number>(10).fill(0);
  for (let i = 0; i < 100_000; i++) {
    const n = random.nextInt(10);
    counts[n] = (counts[n] ?? 0) + 1;
    const f = random.float();
    assert.ok(f >= 0 && f < 1);
  }
  for (const count of counts) assert.ok(Math.abs(count - 10_000) < 600, `${count}`);
});

test('takes chances as often as asked', () => {
  const random = new SeededRandom(6);
  let hits = 0;
  for (let i = 0; i < 10_000; i++) if (random.chance(0.25)) hits++;
  assert.ok(hits > 2300 && hits < 2700, `${hits}`);
  assert.not.ok(random.chance(0));
  assert.ok(random.chance(1));
});

run();

/** A shard under a storm, with merges that cannot keep up: slowed, never stopped. */
import * as assert from 'uvu/assert';
import { PRESSURE_REASONS, PRESSURE_STATES } from '../../src/rpc/shard-stats.js';
import { ActorRig, type Reply } from '../harness/actor-rig.js';
import { SimulatedDisk } from '../harness/simulated-disk.js';
import { suite } from '../harness/suite.js';

const { test, run } = suite('Admission');

const LIMITS = {
  runsSoft: 12,
  runsHard: 60,
  debtBytesSoft: 2 ** 30,
  debtBytesHard: 2 ** 32,
  bytesPerSecondMin: 20_000,
};
const STEP_MS = 0.5;
/** What the floor rate fills in the second that a merge takes, in MemTables. */
const RUNS_AT_FLOOR = 4;
const VALUE = 'v'.repeat(200);

/** A shard whose clock stands still until told, flushes at once and merges now and then. */
class Storm {
  readonly rig: ActorRig;
  readonly failures: Reply[] = [];
  acknowledged = 0;
  runsMax = 0;
  /** The longest time without an acknowledgement while writes were waiting. */
  longestPauseMs = 0;
  /** The longest that a read had to wait. */
  readTurnsMax = 0;
  /** Turns that came to nothing before the time that the shard had named. */
  lateTurns = 0;
  #next = 0;
  #lastAckMs = 0;
  #mergedMs = 0;

  constructor() {
    this.rig = new ActorRig({ engine: { pressure: LIMITS }, disk: new SimulatedDisk() });
  }

  get nowMs(): number {
    return this.rig.rig.clock.monotonicMs();
  }

  get figures() {
    return this.rig.rig.engine.figures();
  }

  get pressure(): string {
    this.rig.actor.publishFigures();
    const { stats } = this.rig;
    const state = PRESSURE_STATES[stats.get('pressureState')];
    return `${state} ${PRESSURE_REASONS[stats.get('pressureReason')]}`.trim();
  }

  /** Lets so much time pass. `mergeMs`: how long each merge takes, Infinity = for ever. */
  pass(ms: number, { isStorming, mergeMs }: { isStorming: boolean; mergeMs: number }): void {
    const { rig } = this.rig;
    const endMs = this.nowMs + ms;
    if (isStorming) this.#lastAckMs = this.nowMs;
    while (this.nowMs < endMs) {
      rig.clock.advance(STEP_MS);
      for (let i = 0; isStorming && i < 2; i++) this.#offer();
      this.#turn();
      rig.jobs.runAll('flush');
      rig.jobs.runAll('fill-segment');
      if (this.nowMs - this.#mergedMs < mergeMs) continue;
      this.#mergedMs = this.nowMs;
      rig.jobs.runAll('merge');
    }
  }

  /** One more write, if the ring takes it: nearly a megabyte a second. */
  #offer(): void {
    const key = `k${(this.#next * 7919) % 100_000}`;
    if (this.rig.write(this.#next, [{ key, value: VALUE }])) this.#next++;
  }

  #turn(): void {
    this.rig.get(2 ** 31, 'k0');
    const turn = this.rig.actor.turn();
    assert.is(this.rig.replies('read').length, 1, 'reads go on');
    const written = this.rig.replies('write');
    this.failures.push(...written.filter(({ kind }) => kind !== 'written'));
    this.acknowledged += written.length;
    if (written.length > 0) {
      this.longestPauseMs = Math.max(this.longestPauseMs, this.nowMs - this.#lastAckMs);
      this.#lastAckMs = this.nowMs;
    } else if (turn.kind === 'until' && turn.ms > this.nowMs + 100) {
      this.lateTurns++;
    }
    this.runsMax = Math.max(this.runsMax, this.rig.rig.engine.figures().sortedRuns);
  }
}

test('slows a storm smoothly when merges fall behind, refuses nothing, and recovers', () => {
  const storm = new Storm();
  storm.pass(300, { isStorming: true, mergeMs: 1 });
  assert.is(storm.pressure, 'none', 'as long as merges keep up');
  const free = storm.acknowledged / 300;
  storm.pass(4000, { isStorming: true, mergeMs: 1000 });
  const slowed = (storm.acknowledged - free * 300) / 4000;
  assert.is(storm.pressure, 'delaying sorted-runs');
  assert.equal(storm.failures, [], 'every write is taken');
  assert.ok(slowed < 0.8 * free, `slowed from ${free} to ${slowed} writes per ms`);
  assert.ok(storm.longestPauseMs < 50, `a pause of ${storm.longestPauseMs} ms`);
  assert.is(storm.lateTurns, 0, 'the shard wakes in time for what waits');
  // At the hard limit the floor is still taken, and merges end but once a second here.
  assert.ok(storm.runsMax <= LIMITS.runsHard + RUNS_AT_FLOOR, `${storm.runsMax} runs`);

  const { figures } = storm;
  assert.ok(figures.delayedGroupsTotal > 100);
  assert.ok(figures.delayedMsBySortedRunsTotal > 1000);
  assert.is(figures.delayedMsByArenaTotal, 0);
  assert.ok(figures.admittedBytesPerSecond >= LIMITS.bytesPerSecondMin);
  const line = storm.rig.rig.engine.takeLogLine();
  assert.is(line?.fields['reason'], 'sorted-runs');
  assert.is(storm.rig.rig.engine.takeLogLine(), undefined, 'once');

  storm.pass(3500, { isStorming: false, mergeMs: 5 });
  assert.is(storm.pressure, 'none');
  assert.is(storm.rig.stats.get('admittedBytesPerSecond'), 0);
});

test('goes on at the floor when merges do not come to an end at all', () => {
  const storm = new Storm();
  storm.pass(1000, { isStorming: true, mergeMs: Number.POSITIVE_INFINITY });
  while (storm.figures.sortedRuns < LIMITS.runsHard) {
    storm.pass(100, { isStorming: true, mergeMs: Number.POSITIVE_INFINITY });
  }
  const before = storm.acknowledged;
  storm.pass(2000, { isStorming: true, mergeMs: Number.POSITIVE_INFINITY });
  assert.equal(storm.failures, []);
  const floor = (2 * LIMITS.bytesPerSecondMin) / (VALUE.length + 12);
  assert.ok(storm.acknowledged - before > 0.8 * floor, `${storm.acknowledged - before} writes`);
  assert.ok(storm.longestPauseMs < 50, `a pause of ${storm.longestPauseMs} ms`);
  assert.is(storm.pressure, 'delaying sorted-runs');
});

run();

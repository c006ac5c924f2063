import * as fc from 'fast-check';
import * as assert from 'uvu/assert';
import { StormError } from '../../src/base/errors.js';
import type { PartialConfig } from '../../src/config/config.js';
import { configWith } from '../../src/config/load-config.js';
import { planMemory } from '../../src/config/memory-plan.js';
import { suite } from '../harness/suite.js';

const { test, run } = suite('planMemory');
const KIB = 1024;
const MIB = 1024 * KIB;

const SMALL: PartialConfig = {
  limits: { keyBytesMax: 512, valueBytesMax: 64 * KIB, batchBytesMax: 256 * KIB },
  memory: { bytesMax: 64 * MIB },
  wal: { segmentBytes: MIB, groupBytesMax: 256 * KIB, liveBytesMax: 4 * MIB },
};

function planned(options: PartialConfig, shards: number, routers: number): string {
  const plan = planMemory(configWith(options), shards, routers);
  const { writeRequestBytes, readRequestBytes, writeReplyBytes, readReplyBytes } = plan.rings;
  const rings = [writeRequestBytes, readRequestBytes, writeReplyBytes, readReplyBytes];
  return (
    `rings ${rings.map((bytes) => bytes / KIB).join(' ')} KiB, ` +
    `${plan.ringBytes / MIB} MiB in all; arenas ${plan.arenaCount} × ${plan.arenaBytes / MIB} ` +
    `MiB; tables ${plan.tableBytes / MIB} MiB`
  );
}

test('divides the budget as the table of examples says', () => {
  const table: [string, string][] = [
    [
      planned({}, 2, 1),
      'rings 16384 256 256 4096 KiB, 41 MiB in all; arenas 8 × 64 MiB; tables 471 MiB',
    ],
    [
      planned({}, 4, 1),
      'rings 16384 256 256 4096 KiB, 82 MiB in all; arenas 12 × 42 MiB; tables 438 MiB',
    ],
    [
      planned({}, 8, 1),
      'rings 16384 256 256 4096 KiB, 164 MiB in all; arenas 24 × 21 MiB; tables 356 MiB',
    ],
    [
      planned(SMALL, 2, 1),
      'rings 1024 256 256 1024 KiB, 5 MiB in all; arenas 6 × 5 MiB; tables 29 MiB',
    ],
    [
      planned(SMALL, 4, 2),
      'rings 1024 256 256 512 KiB, 16 MiB in all; arenas 16 × 2 MiB; tables 16 MiB',
    ],
    [
      planned({ ...SMALL, memory: { bytesMax: 24 * MIB } }, 2, 1),
      'rings 1024 256 256 1024 KiB, 5 MiB in all; arenas 6 × 2 MiB; tables 7 MiB',
    ],
  ];
  for (const [found, expected] of table) assert.is(found, expected);
});

test('refuses a budget that is too small, with the arithmetic and the least that would do', () => {
  const config = configWith({ memory: { bytesMax: 64 * MIB } });
  try {
    planMemory(config, 4, 1);
    assert.unreachable('the plan was made');
  } catch (error) {
    if (!(error instanceof StormError)) throw error;
    assert.is(error.code, 'FAILED_PRECONDITION');
    const expected = [
      'memory.bytesMax is too small for 4 shards and 1 router threads: it must be at least ' +
        '337641472, it is 67108864',
      '  rings:  1 routers × 4 shards × 21102592 bytes = 84410368, which may be a quarter: ' +
        '337641472',
      '  arenas: 2 × 4 shards × 9437184 bytes = 75497472, which is half: 150994944',
      'Set memory.bytesMax to 337641472 or more, or lower limits.batchBytesMax (4194304), ' +
        'limits.valueBytesMax (1048576), the shards of a new data dir, or router.threads',
    ];
    assert.is(error.message, expected.join('\n'));
  }
});

test('keeps every promise for any configuration, or names a budget that would do', () => {
  const anyLimits = fc.record({
    keyBytesMax: fc.integer({ min: 1, max: 65_535 }),
    valueBytesMax: fc.integer({ min: 1, max: 8 * MIB }),
    batchBytesMax: fc.integer({ min: 9 * MIB, max: 31 * MIB }),
    batchEntriesMax: fc.integer({ min: 1, max: 100_000 }),
  });
  const property = fc.property(
    anyLimits,
    fc.integer({ min: 4 * MIB, max: 8192 * MIB }),
    fc.integer({ min: 1, max: 16 }),
    fc.integer({ min: 1, max: 8 }),
    (limits, bytesMax, shards, routers) => {
      const wal = { segmentBytes: 64 * MIB };
      const config = configWith({ limits, memory: { bytesMax }, wal });
      try {
        checkPlan(config, shards, routers);
      } catch (error) {
        if (!(error instanceof StormError)) throw error;
        const least = Number(/at least (\d+)/.exec(error.message)?.[1]);
        assert.ok(least > bytesMax);
        checkPlan(configWith({ limits, memory: { bytesMax: least }, wal }), shards, routers);
        assert.throws(() =>
          planMemory(
            configWith({ limits, memory: { bytesMax: least - MIB }, wal }),
            shards,
            routers,
          ),
        );
      }
    },
  );
  return fc.assert(property, { numRuns: 300 });
});

function checkPlan(config: ReturnType<typeof configWith>, shards: number, routers: number): void {
  const { limits, memory } = config;
  const plan = planMemory(config, shards, routers);
  const { rings, arenaBytes, arenaCount } = plan;
  for (const bytes of Object.values(rings)) assert.is(Math.log2(bytes) % 1, 0);
  assert.ok(rings.writeRequestBytes >= 2 * (limits.batchBytesMax + 4096));
  assert.ok(rings.readReplyBytes >= 2 * (limits.valueBytesMax + 4096));
  assert.ok(rings.readRequestBytes >= 2 * (limits.keyBytesMax + 4096));
  assert.ok(plan.ringBytes * 4 <= memory.bytesMax);
  assert.is(arenaBytes % MIB, 0);
  assert.ok(arenaBytes <= 64 * MIB && arenaBytes >= 2 * limits.batchBytesMax + MIB);
  assert.ok(arenaCount >= 2 * shards);
  assert.ok(2 * arenaCount * arenaBytes <= memory.bytesMax);
  assert.is(plan.ringBytes + arenaCount * arenaBytes + plan.tableBytes, memory.bytesMax);
}

run();

import { readFileSync } from 'node:fs';
import * as assert from 'uvu/assert';
import { CorruptionError, StormError } from '../../src/base/errors.js';
import type { Random } from '../../src/base/random.js';
import { encodeCheckedJson } from '../../src/storage/checked-json.js';
import { nodeFileSystem } from '../../src/storage/node-file-system.js';
import {
  createRoot,
  equalSlotRanges,
  openOrCreateRoot,
  type Root,
  readRoot,
} from '../../src/storage/root-manifest.js';
import { SeededRandom } from '../harness/seeded-random.js';
import { SimulatedDisk } from '../harness/simulated-disk.js';
import { CRASH_MODES } from '../harness/simulated-file.js';
import { SimulatedCrash } from '../harness/simulated-operations.js';
import { suite } from '../harness/suite.js';
import { withTempDir } from '../harness/temp-dir.js';

const { test, run } = suite('root manifest');
const random = new SeededRandom(1);
const DIR = '/var/lib/storm';
const FIELDS = {
  what: 'stormkv root',
  version: 0,
  storeUuid: '00112233445566778899aabbccddeeff',
  shardCount: 2,
  slotCount: 16384,
  slotHash: 'crc16-xmodem',
  slotMapEpoch: 1,
  slotRanges: [
    [0, 8191],
    [8192, 16383],
  ],
};

function open(disk: SimulatedDisk, shardCount?: number): Root {
  return openOrCreateRoot(disk, DIR, { shardCount, shardCountIfNew: 4, random });
}

function diskWithRoot(shardCount: number): SimulatedDisk {
  const disk = new SimulatedDisk();
  createRoot(disk, DIR, { shardCount, random });
  return disk;
}

function putFile(disk: SimulatedDisk, path: string): void {
  disk.open(path, 'create').close();
}

/** Runs `body`, which must throw, and checks that it changed nothing but durability. */
function refusal(disk: SimulatedDisk, body: () => unknown): StormError {
  disk.trace = [];
  try {
    body();
  } catch (error) {
    if (!(error instanceof StormError)) throw error;
    const changes = disk.trace.filter(({ kind }) => !HARMLESS.has(kind));
    assert.equal(changes, []);
    return error;
  }
  throw new Error('Expected a refusal');
}
const HARMLESS = new Set(['open', 'stat', 'list', 'read', 'size']);

test('creates a new data dir and reads back what it wrote', () => {
  const disk = new SimulatedDisk();
  assert.is(readRoot(disk, DIR), undefined);
  const root = open(disk, 3);
  assert.is(root.shardCount, 3);
  assert.match(root.storeUuid, /^[0-9a-f]{32}$/);
  assert.equal(disk.list(DIR), ['ROOT', 'shard-000', 'shard-001', 'shard-002']);
  assert.equal(readRoot(disk, DIR), root);
  assert.equal(open(disk, 3), root);
  assert.equal(open(disk), root);
});

test('takes the default count only for a new data dir', () => {
  const disk = new SimulatedDisk();
  assert.is(open(disk).shardCount, 4);
  assert.is(open(diskWithRoot(2)).shardCount, 2);
});

test('writes the documented example byte for byte', () => {
  const fixed: Random = {
    fill(target) {
      for (let i = 0; i < target.length; i++) target[i] = i * 0x11;
      return target;
    },
  };
  const disk = new SimulatedDisk();
  createRoot(disk, DIR, { shardCount: 3, random: fixed });
  const page = readFileSync('docs/formats/root.md', 'utf8');
  const golden = /<!-- golden: three shards -->\n```\n([^`]*)```/.exec(page)?.[1];
  assert.is(Buffer.from(disk.contentOf(`${DIR}/ROOT`)).toString(), golden);
});

test('gives each slot to exactly one shard, evenly', () => {
  for (const count of [1, 2, 3, 7, 16, 1000, 16384]) {
    const ranges = equalSlotRanges(count);
    assert.is(ranges.length, count);
    assert.is(ranges[0]?.first, 0);
    assert.is(ranges.at(-1)?.last, 16383);
    const sizes = ranges.map(({ first, last }) => last - first + 1);
    assert.is(
      sizes.reduce((sum, size) => sum + size, 0),
      16384,
    );
    assert.ok(Math.max(...sizes) - Math.min(...sizes) <= 1);
  }
});

test('refuses a number of shards that cannot be', () => {
  for (const shardCount of [0, -1, 1.5, Number.NaN, 16385]) {
    const disk = new SimulatedDisk();
    const error = refusal(disk, () => open(disk, shardCount));
    assert.is(error.code, 'INVALID_ARGUMENT');
  }
});

test('refuses another number of shards and names both', () => {
  const disk = diskWithRoot(4);
  const error = refusal(disk, () => open(disk, 8));
  assert.is(error.code, 'FAILED_PRECONDITION');
  assert.match(error.message, /has 4 shards, 8 were asked for: start with --shards 4/);
});

test('refuses data without ROOT, whatever kind of file it is', () => {
  const leftovers = ['wal-000001.seg', 'CURRENT', 'table-000001.sst', 'manifest-000001.log'];
  for (const name of [...leftovers, 'CURRENT.tmp', 'something-else']) {
    const disk = diskWithRoot(2);
    putFile(disk, `${DIR}/shard-001/${name}`);
    disk.remove(`${DIR}/ROOT`);
    const error = refusal(disk, () => open(disk));
    assert.is(error.code, 'FAILED_PRECONDITION');
    assert.match(error.message, /no ROOT file, but shard-001 holds data/);
  }
  for (const name of leftovers) {
    const disk = new SimulatedDisk();
    disk.makeDir(DIR);
    putFile(disk, `${DIR}/${name}`);
    assert.match(refusal(disk, () => open(disk)).message, new RegExp(name));
  }
});

test('takes empty shard folders, temporary files and foreign names for a new data dir', () => {
  const disk = new SimulatedDisk();
  disk.makeDir(`${DIR}/shard-000`);
  disk.makeDir(`${DIR}/shard-007`);
  disk.makeDir(`${DIR}/lost+found`);
  for (const name of ['ROOT.tmp', 'LOCK', 'README']) putFile(disk, `${DIR}/${name}`);
  const root = open(disk, 2);
  assert.equal(open(disk, 2), root);
});

test('refuses a missing shard folder and one too many that holds data', () => {
  const partial = diskWithRoot(3);
  partial.rename(`${DIR}/shard-001`, '/elsewhere');
  const missing = refusal(partial, () => open(partial));
  assert.is(missing.code, 'FAILED_PRECONDITION');
  assert.match(missing.message, /shard-001 is missing/);
  putFile(partial, `${DIR}/shard-001`);
  assert.match(refusal(partial, () => open(partial)).message, /shard-001 is missing/);

  const extra = diskWithRoot(2);
  extra.makeDir(`${DIR}/shard-002`);
  open(extra);
  putFile(extra, `${DIR}/shard-002/wal-000001.seg`);
  assert.match(refusal(extra, () => open(extra)).message, /shard-002 holds data/);
});

test('refuses a newer version and another hash, naming both sides', () => {
  const disk = diskWithRoot(2);
  disk.replaceContent(`${DIR}/ROOT`, encodeCheckedJson({ ...FIELDS, version: 1 }));
  const newer = refusal(disk, () => open(disk));
  assert.is(newer.code, 'FAILED_PRECONDITION');
  assert.match(newer.message, /version 1, this program knows versions up to 0/);
  disk.replaceContent(`${DIR}/ROOT`, encodeCheckedJson({ ...FIELDS, slotHash: 'fnv' }));
  const hash = refusal(disk, () => open(disk));
  assert.is(hash.code, 'FAILED_PRECONDITION');
  assert.match(hash.message, /fnv.*crc16-xmodem/);
});

test('refuses fields that contradict each other, though the checksum holds', () => {
  const bad: object[] = [
    { what: 'other' },
    { version: '0' },
    { version: -1 },
    { storeUuid: 'xyz' },
    { storeUuid: undefined },
    { shardCount: 3 },
    { slotMapEpoch: 0 },
    { slotMapEpoch: null },
    { slotRanges: undefined },
    { slotRanges: [[0, 8191]] },
    { slotRanges: [[0, 16383], []] },
    {
      slotRanges: [
        [0, 8191],
        [8191, 16383],
      ],
    },
    {
      slotRanges: [
        [0, 8191],
        [8193, 16383],
      ],
    },
    {
      slotRanges: [
        [0, 8191],
        [8192, 16384],
      ],
    },
    {
      slotRanges: [
        [0, 16383],
        [16384, 16383],
      ],
    },
  ];
  const disk = diskWithRoot(2);
  for (const change of bad) {
    disk.replaceContent(`${DIR}/ROOT`, encodeCheckedJson({ ...FIELDS, ...change }));
    const error = refusal(disk, () => open(disk));
    assert.instance(error, CorruptionError, JSON.stringify(change));
  }
  disk.replaceContent(`${DIR}/ROOT`, encodeCheckedJson(FIELDS));
  assert.is(open(disk).storeUuid, FIELDS.storeUuid);
});

test('detects every flipped bit and every cut', () => {
  const disk = diskWithRoot(2);
  const whole = disk.contentOf(`${DIR}/ROOT`);
  for (let bit = 0; bit < whole.length * 8; bit++) {
    const damaged = whole.slice();
    damaged[bit >> 3] = (damaged[bit >> 3] ?? 0) ^ (1 << (bit & 7));
    disk.replaceContent(`${DIR}/ROOT`, damaged);
    assert.throws(() => open(disk), isCorruption);
  }
  for (let length = 0; length < whole.length; length++) {
    disk.replaceContent(`${DIR}/ROOT`, whole.subarray(0, length));
    assert.throws(() => open(disk), isCorruption);
  }
  disk.replaceContent(`${DIR}/ROOT`, Buffer.concat([whole, Buffer.of(0x0a)]));
  assert.throws(() => open(disk), isCorruption);
});

test('passes a read error on instead of taking the store for new', () => {
  for (const kind of ['open', 'read', 'stat'] as const) {
    const disk = diskWithRoot(2);
    disk.fail({ kind, code: 'EIO', path: 'ROOT' });
    assert.throws(() => open(disk), /EIO/);
  }
});

test('survives a power loss or a kill before any step of the creation, twice in a row', () => {
  const first = stepsOf(new SimulatedDisk());
  assert.ok(first > 8);
  const states = { fresh: 0, whole: 0 };
  for (let step = 1; step <= first; step++) {
    for (const mode of [...CRASH_MODES, 'kill'] as const) {
      for (let seed = 0; seed < (mode === 'subset' ? 20 : 4); seed++) {
        const disk = new SimulatedDisk();
        crashAt(disk, step, mode, seed);
        crashAt(disk, 1 + (seed % 8), mode, seed + 1);
        const before = readRoot(disk, DIR);
        states[before === undefined ? 'fresh' : 'whole']++;
        const root = open(disk);
        if (before !== undefined) assert.equal(root, before);
        // From here on shards write: nothing of the root may be lost any more.
        putFile(disk, `${DIR}/shard-000/CURRENT`);
        disk.syncDir(`${DIR}/shard-000`);
        disk.crash(seed, 'synced-only');
        assert.equal(open(disk), root);
      }
    }
  }
  assert.ok(states.fresh > 10 && states.whole > 10, JSON.stringify(states));
});

function stepsOf(disk: SimulatedDisk): number {
  open(disk);
  return disk.changeCount;
}

function crashAt(
  disk: SimulatedDisk,
  step: number,
  mode: (typeof CRASH_MODES)[number] | 'kill',
  seed: number,
): void {
  disk.crashBeforeChange(step);
  try {
    open(disk);
  } catch (error) {
    if (!(error instanceof SimulatedCrash)) throw error;
  }
  if (mode === 'kill') disk.processCrash();
  else disk.crash(seed, mode);
}

test('fails without a root when any step of the creation fails', () => {
  for (const kind of ['makeDir', 'open', 'write', 'sync', 'rename'] as const) {
    for (const code of ['EIO', 'ENOSPC']) {
      const disk = new SimulatedDisk();
      disk.fail({ kind, code });
      assert.throws(() => open(disk), new RegExp(code));
      assert.is(readRoot(disk, DIR), undefined);
      open(disk);
    }
  }
});

test('works on the real disk, in a folder that exists and one that does not', () =>
  withTempDir((dir) => {
    const options = { shardCount: 2, shardCountIfNew: 1, random };
    for (const path of [dir, `${dir}/a/b`]) {
      const root = openOrCreateRoot(nodeFileSystem, path, options);
      assert.equal(openOrCreateRoot(nodeFileSystem, path, options), root);
    }
  }));

function isCorruption(error: unknown): boolean {
  return error instanceof CorruptionError;
}

run();

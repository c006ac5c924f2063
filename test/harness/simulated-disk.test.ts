import * as assert from 'uvu/assert';
import { systemCodeOf } from '../../src/base/errors.js';
import type { FileHandle } from '../../src/storage/file-system.js';
import { SeededRandom } from './seeded-random.js';
import { SimulatedDisk } from './simulated-disk.js';
import { CRASH_MODES, type CrashMode, SECTOR_BYTES } from './simulated-file.js';
import { SimulatedCrash } from './simulated-operations.js';
import { suite } from './suite.js';
import { fileSystemSuite } from './suites/file-system-suite.js';

fileSystemSuite({
  name: 'simulated',
  use(body) {
    const disk = new SimulatedDisk();
    disk.makeDir('/data');
    body(disk, '/data');
  },
});

fileSystemSuite({
  name: 'simulated, mapping by copies',
  use(body) {
    const disk = new SimulatedDisk({ mapCopies: true });
    disk.makeDir('/data');
    body(disk, '/data');
  },
});

const { test, run } = suite('SimulatedDisk');
const SEEDS = Array.from({ length: 300 }, (_, i) => i);

/** A disk with the durable file /data/f, `sectors` sectors full of 1. */
function diskWithOldFile(sectors: number, options = {}): { disk: SimulatedDisk; file: FileHandle } {
  const disk = new SimulatedDisk(options);
  disk.makeDir('/data');
  const file = disk.open('/data/f', 'create');
  fill(file, 1, 0, sectors);
  disk.syncAll();
  return { disk, file };
}

function fill(file: FileHandle, byte: number, sector: number, sectors: number): void {
  const bytes = new Uint8Array(sectors * SECTOR_BYTES).fill(byte);
  file.writeAt(bytes, 0, bytes.length, sector * SECTOR_BYTES);
}

/** What a sector is made of: `1`, `2`, `0`, `2then1` …, or `garbage`. */
function kindOf(bytes: Uint8Array, sector: number): string {
  const runs: number[] = [];
  for (const byte of bytes.subarray(sector * SECTOR_BYTES, (sector + 1) * SECTOR_BYTES)) {
    if (byte !== runs.at(-1)) runs.push(byte);
  }
  return runs.length > 2 ? 'garbage' : runs.join('then');
}

test('keeps what was synced, in every mode and for every seed', () => {
  const { disk: origin, file } = diskWithOldFile(8);
  fill(file, 2, 3, 2);
  file.syncData();
  for (const mode of CRASH_MODES) {
    for (const seed of SEEDS) {
      const disk = origin.clone();
      disk.crash(seed, mode);
      const bytes = disk.contentOf('/data/f');
      const kinds = Array.from({ length: 8 }, (_, i) => kindOf(bytes, i)).join('');
      assert.is(kinds, '11122111');
    }
  }
});

test('loses unsynced data in some seeds, keeps it in others, and tears it in others', () => {
  const { disk: origin, file } = diskWithOldFile(4);
  fill(file, 2, 1, 2);
  const seen = new Set<string>();
  for (const seed of SEEDS) {
    const disk = origin.clone();
    disk.crash(seed, 'subset');
    const bytes = disk.contentOf('/data/f');
    assert.is(kindOf(bytes, 0), '1', 'a sector nobody wrote stays');
    assert.is(kindOf(bytes, 3), '1', 'a sector nobody wrote stays');
    seen.add(kindOf(bytes, 1)).add(kindOf(bytes, 2));
    if (kindOf(bytes, 1) !== kindOf(bytes, 2)) seen.add('torn');
  }
  for (const kind of ['1', '2', '0', 'garbage', '2then1', 'torn']) {
    assert.ok(seen.has(kind), `${kind} must occur`);
  }
});

test('loses everything unsynced in mode synced-only and nothing in mode all', () => {
  const { disk: origin, file } = diskWithOldFile(2);
  fill(file, 2, 0, 3);
  origin.open('/data/g', 'create').close();
  const lost = origin.clone();
  lost.crash(1, 'synced-only');
  assert.is(lost.contentOf('/data/f').length, 2 * SECTOR_BYTES);
  assert.ok(lost.contentOf('/data/f').every((byte) => byte === 1));
  assert.equal(lost.list('/data'), ['f']);
  const kept = origin.clone();
  kept.crash(1, 'all');
  assert.is(kept.contentOf('/data/f').length, 3 * SECTOR_BYTES);
  assert.ok(kept.contentOf('/data/f').every((byte) => byte === 2));
  assert.equal(kept.list('/data'), ['f', 'g']);
});

test('in mode prefix a later change never survives without the earlier ones', () => {
  const { disk: origin, file } = diskWithOldFile(8);
  for (let i = 0; i < 8; i++) fill(file, 2, i, 1);
  origin.open('/data/last', 'create').close();
  const lengths = new Set<number>();
  for (const seed of SEEDS) {
    const disk = origin.clone();
    disk.crash(seed, 'prefix');
    const bytes = disk.contentOf('/data/f');
    const kinds = Array.from({ length: 8 }, (_, i) => kindOf(bytes, i)).join('');
    assert.match(kinds, /^2*1*$/);
    if (disk.list('/data').includes('last')) assert.is(kinds, '22222222');
    lengths.add(kinds.lastIndexOf('2') + 1);
  }
  assert.is(lengths.size, 9);
});

test('lets a later write survive the loss of an earlier one', () => {
  const { disk: origin, file } = diskWithOldFile(2);
  fill(file, 2, 0, 1);
  fill(file, 2, 1, 1);
  const reordered = SEEDS.some((seed) => {
    const disk = origin.clone();
    disk.crash(seed, 'subset');
    const bytes = disk.contentOf('/data/f');
    return kindOf(bytes, 0) === '1' && kindOf(bytes, 1) === '2';
  });
  assert.ok(reordered);
});

test('decides the size apart from the data', () => {
  const { disk: origin, file } = diskWithOldFile(1);
  fill(file, 2, 1, 1);
  const seen = new Set<string>();
  for (const seed of SEEDS) {
    const disk = origin.clone();
    disk.crash(seed, 'subset');
    const bytes = disk.contentOf('/data/f');
    seen.add(bytes.length === SECTOR_BYTES ? 'short' : `long ${kindOf(bytes, 1)}`);
  }
  assert.ok(seen.has('short'));
  assert.ok(seen.has('long 2'));
  assert.ok(seen.has('long 0'), 'the length survives, the data does not');
});

test('damages synced neighbours in a torn sector unless overwriting is power-safe', () => {
  for (const powerSafeOverwrite of [false, true]) {
    const { disk: origin, file } = diskWithOldFile(1, { powerSafeOverwrite });
    file.writeAt(Uint8Array.of(2, 2), 0, 2, 100);
    const damaged = SEEDS.some((seed) => {
      const disk = origin.clone();
      disk.crash(seed, 'subset');
      const bytes = disk.contentOf('/data/f');
      return bytes.some((byte, at) => (at < 100 || at > 101) && byte !== 1);
    });
    assert.is(damaged, !powerSafeOverwrite);
  }
});

test('never brings cut bytes back when the cut was synced', () => {
  const { disk: origin, file } = diskWithOldFile(4);
  file.truncate(SECTOR_BYTES);
  file.syncData();
  fill(file, 2, 3, 1);
  for (const seed of SEEDS) {
    const disk = origin.clone();
    disk.crash(seed, 'subset');
    const bytes = disk.contentOf('/data/f');
    assert.is(kindOf(bytes, 0), '1');
    if (bytes.length > SECTOR_BYTES) assert.is(kindOf(bytes, 1), '0');
  }
});

test('loses a name whose directory was not synced, though the file was', () => {
  const origin = new SimulatedDisk();
  origin.makeDir('/data');
  origin.syncAll();
  const file = origin.open('/data/new', 'create');
  fill(file, 2, 0, 1);
  file.syncData();
  const outcomes = new Set(
    SEEDS.map((seed) => {
      const disk = origin.clone();
      disk.crash(seed, 'subset');
      return disk.list('/data').join();
    }),
  );
  assert.equal(outcomes, new Set(['', 'new']));
  origin.syncDir('/data');
  for (const seed of SEEDS) {
    const disk = origin.clone();
    disk.crash(seed, 'subset');
    assert.is(disk.contentOf('/data/new').length, SECTOR_BYTES);
  }
});

test('renames all or nothing: the name always means the old file or the new one', () => {
  const { disk: origin } = diskWithOldFile(1);
  const next = origin.open('/data/f.tmp', 'create');
  fill(next, 2, 0, 1);
  next.syncData();
  origin.rename('/data/f.tmp', '/data/f');
  const outcomes = new Set<string>();
  for (const mode of CRASH_MODES) {
    for (const seed of SEEDS) {
      const disk = origin.clone();
      disk.crash(seed, mode);
      outcomes.add(`${disk.list('/data').join()}=${kindOf(disk.contentOf('/data/f'), 0)}`);
    }
  }
  assert.equal(outcomes, new Set(['f=1', 'f=2', 'f,f.tmp=1']));
});

test('lets a rename survive the loss of unsynced content', () => {
  const { disk: origin } = diskWithOldFile(1);
  const next = origin.open('/data/f.tmp', 'create');
  fill(next, 2, 0, 1);
  origin.rename('/data/f.tmp', '/data/f');
  const empty = SEEDS.some((seed) => {
    const disk = origin.clone();
    disk.crash(seed, 'subset');
    return disk.contentOf('/data/f').length === 0;
  });
  assert.ok(empty);
});

test('syncing the target directory of a move also settles what the move builds on', () => {
  const disk = new SimulatedDisk();
  disk.makeDir('/a');
  disk.makeDir('/b');
  disk.syncAll();
  disk.open('/a/x', 'create').close();
  disk.rename('/a/x', '/b/y');
  disk.syncDir('/b');
  disk.syncDir('/a');
  disk.crash(1, 'synced-only');
  assert.equal([disk.list('/a'), disk.list('/b')], [[], ['y']]);
});

test('brings a removed file back when the removal was not synced', () => {
  const { disk } = diskWithOldFile(1);
  disk.remove('/data/f');
  const back = disk.clone();
  back.crash(1, 'synced-only');
  assert.equal(back.list('/data'), ['f']);
  disk.syncDir('/data');
  disk.crash(1, 'synced-only');
  assert.equal(disk.list('/data'), []);
});

test('a failed sync drops the pages: readable now, not written by the next sync', () => {
  const { disk, file } = diskWithOldFile(1);
  fill(file, 2, 0, 1);
  disk.fail({ kind: 'sync', code: 'EIO' });
  assert.throws(
    () => file.syncData(),
    (error: unknown) => systemCodeOf(error) === 'EIO',
  );
  file.syncData();
  assert.is(kindOf(disk.contentOf('/data/f'), 0), '2');
  const rebooted = disk.clone();
  rebooted.crash(1, 'all');
  assert.is(kindOf(rebooted.contentOf('/data/f'), 0), '1');
  disk.processCrash();
  assert.is(kindOf(disk.contentOf('/data/f'), 0), '2');
});

test('a failed directory sync drops the names at the power loss', () => {
  const disk = new SimulatedDisk();
  disk.open('/x', 'create').close();
  disk.fail({ kind: 'syncDir', code: 'EIO' });
  assert.throws(() => disk.syncDir('/'), /EIO/);
  disk.syncDir('/');
  assert.equal(disk.list('/'), ['x']);
  disk.crash(1, 'all');
  assert.equal(disk.list('/'), []);
});

test('a lying sync loses what it promised', () => {
  const { disk, file } = diskWithOldFile(1, { lyingSync: true });
  fill(file, 2, 0, 1);
  file.syncData();
  disk.crash(1, 'synced-only');
  assert.is(kindOf(disk.contentOf('/data/f'), 0), '1');
});

test('kills all handles at a crash, and close stays harmless', () => {
  for (const crash of ['crash', 'processCrash'] as const) {
    const { disk, file } = diskWithOldFile(1);
    crash === 'crash' ? disk.crash(1, 'all') : disk.processCrash();
    assert.throws(() => fill(file, 2, 0, 1), isCrash);
    assert.throws(() => file.syncData(), isCrash);
    file.close();
    assert.is(kindOf(disk.contentOf('/data/f'), 0), '1');
    disk.open('/data/f', 'update').close();
  }
});

test('stops before the n-th change and refuses everything until it is up again', () => {
  const { disk, file } = diskWithOldFile(1);
  disk.crashBeforeChange(2);
  fill(file, 2, 0, 1);
  disk.stat('/data/f');
  assert.throws(() => file.syncData(), isCrash);
  assert.throws(() => disk.remove('/data/f'), isCrash);
  assert.throws(() => disk.list('/data'), isCrash);
  disk.processCrash();
  assert.is(kindOf(disk.contentOf('/data/f'), 0), '2');
  disk.remove('/data/f');
});

test('lets a hook stop the world, and records operations and their number', () => {
  const { disk, file } = diskWithOldFile(1);
  disk.trace = [];
  const readsBefore = disk.counts.read;
  file.readAt(new Uint8Array(4), 0, 4, 8);
  disk.rename('/data/f', '/data/g');
  assert.equal(disk.trace, [
    { kind: 'read', path: '/data/f', position: 8, length: 4 },
    { kind: 'rename', path: '/data/f', to: '/data/g' },
  ]);
  assert.is(disk.counts.read, readsBefore + 1);
  disk.beforeOperation = (operation) => {
    if (operation.kind === 'remove') throw new SimulatedCrash();
  };
  assert.throws(() => disk.remove('/data/g'), isCrash);
  assert.throws(() => disk.list('/data'), isCrash);
});

test('fails the n-th call of a kind on a path, once or for ever', () => {
  const { disk, file } = diskWithOldFile(1);
  disk.fail({ kind: 'write', code: 'EIO', nth: 2, path: '/f' });
  fill(file, 2, 0, 1);
  assert.throws(() => fill(file, 3, 0, 1), /EIO/);
  fill(file, 2, 0, 1);
  disk.fail({ kind: 'open', code: 'EMFILE', sticky: true });
  assert.throws(() => disk.open('/data/f', 'read'), /EMFILE/);
  assert.throws(() => disk.open('/data/f', 'read'), /EMFILE/);
  disk.clearFaults();
  disk.open('/data/f', 'read').close();
});

test('reads and writes short on demand', () => {
  const { disk, file } = diskWithOldFile(2);
  disk.fail({ kind: 'read', code: 'SHORT' });
  const target = new Uint8Array(1024);
  assert.is(file.readAt(target, 0, 1024, 0), 512);
  disk.fail({ kind: 'write', code: 'SHORT' });
  assert.throws(() => fill(file, 2, 0, 2), /EIO/);
  const bytes = disk.contentOf('/data/f');
  assert.equal([kindOf(bytes, 0), kindOf(bytes, 1)], ['2', '1']);
});

test('runs full at the quota, allows overwriting, and frees space on removal', () => {
  const { disk, file } = diskWithOldFile(8, { quotaBytes: 16_384 });
  assert.is(disk.space('/data').freeBytes, 12_288);
  const other = disk.open('/data/other', 'create');
  assert.throws(() => fill(other, 2, 0, 40), /ENOSPC/);
  assert.is(other.sizeBytes(), 12_288);
  assert.is(disk.space('/data').freeBytes, 0);
  fill(file, 3, 0, 8);
  disk.remove('/data/other');
  assert.is(disk.space('/data').freeBytes, 0, 'an open file keeps its space');
  other.close();
  assert.is(disk.space('/data').freeBytes, 12_288);
  disk.crash(1, 'all');
  assert.is(disk.space('/data').freeBytes, 12_288);
});

test('gives the same disk for the same seed, and clones never touch each other', () => {
  const { disk: origin, file } = diskWithOldFile(16);
  fill(file, 2, 4, 20);
  const run = (seed: number) => {
    const disk = origin.clone();
    disk.crash(seed, 'subset');
    return Buffer.from(disk.contentOf('/data/f')).toString('hex');
  };
  assert.is(run(42), run(42));
  assert.is.not(run(42), run(43));
  const copy = origin.clone();
  copy.replaceContent('/data/f', Uint8Array.of(9));
  fill(file, 5, 0, 1);
  assert.equal([...copy.contentOf('/data/f')], [9]);
  assert.is(kindOf(origin.contentOf('/data/f'), 0), '5');
});

test('agrees with a plain model over random programs that sync before they crash', () => {
  const random = new SeededRandom(11);
  for (let round = 0; round < 200; round++) {
    const disk = new SimulatedDisk();
    const model = new Map<string, Uint8Array>();
    for (let step = 0; step < 20; step++) randomStep(disk, model, random);
    for (const path of model.keys()) {
      const file = disk.open(path, 'update');
      file.syncData();
      file.close();
    }
    disk.syncDir('/');
    disk.crash(random, random.pick(CRASH_MODES));
    assert.equal(disk.list('/'), [...model.keys()].map((path) => path.slice(1)).toSorted(order));
    for (const [path, bytes] of model) assert.ok(Buffer.from(disk.contentOf(path)).equals(bytes));
  }
});

test('loses and keeps by kind: names, sizes, data, the last change, all but one', () => {
  const left = (mode: CrashMode, seed = 5): string[] => {
    const { disk, file } = diskWithOldFile(2);
    fill(file, 2, 0, 1);
    fill(file, 3, 2, 1);
    const born = disk.open('/data/new', 'create');
    fill(born, 4, 0, 1);
    disk.crash(seed, mode);
    return disk.list('/data').map((name) => {
      const bytes = disk.contentOf(`/data/${name}`);
      const sectors = Array.from({ length: bytes.length / SECTOR_BYTES }, (_, i) => i);
      return `${name} ${sectors.map((i) => kindOf(bytes, i)).join('')}`;
    });
  };
  assert.equal(left('names'), ['f 11', 'new ']);
  assert.equal(left('sizes'), ['f 110', 'new 0']);
  assert.equal(left('data'), ['f 213']);
  assert.equal(left('last-only'), ['f 113', 'new 4']);
  assert.equal(left('all'), ['f 213', 'new 4']);
  const outcomes = new Set(SEEDS.map((seed) => left('all-but-one', seed).join(', ')));
  const whole = ['f 213, new 4', 'f 113, new 4', 'f 21, new 4', 'f 213, new ', 'f 213'];
  assert.equal([...outcomes].sort(order), whole.sort(order));
});

test('tells states apart by their digest, and knows what is open', () => {
  const { disk, file } = diskWithOldFile(4);
  const { digest } = disk;
  assert.is(disk.clone().digest, digest);
  assert.not(disk.hasUnsynced);
  fill(file, 2, 1, 1);
  assert.ok(disk.hasUnsynced);
  assert.is.not(disk.digest, digest);
  const { digest: unsynced } = disk;
  file.syncData();
  assert.is.not(disk.digest, unsynced, 'unsynced bytes are another state');
  fill(file, 1, 1, 1);
  file.syncData();
  assert.is(disk.digest, digest, 'the same content is the same state');
  disk.rename('/data/f', '/data/g');
  disk.syncDir('/data');
  assert.is.not(disk.digest, digest);
  assert.is(disk.openFileCount, 1);
  file.close();
  assert.is(disk.openFileCount, 0);
});

function randomStep(
  disk: SimulatedDisk,
  model: Map<string, Uint8Array>,
  random: SeededRandom,
): void {
  const path = `/${random.pick(['a', 'b', 'c'])}`;
  const before = model.get(path);
  if (before === undefined || random.chance(0.5)) {
    const file = disk.open(path, before === undefined ? 'create' : 'update');
    const position = random.nextInt(6000);
    const bytes = random.fill(new Uint8Array(1 + random.nextInt(3000)));
    file.writeAt(bytes, 0, bytes.length, position);
    if (random.chance(0.3)) file.syncData();
    file.close();
    const after = new Uint8Array(Math.max(before?.length ?? 0, position + bytes.length));
    after.set(before ?? []);
    after.set(bytes, position);
    model.set(path, after);
    return;
  }
  if (random.chance(0.3)) {
    disk.remove(path);
    model.delete(path);
    return;
  }
  const to = `/${random.pick(['a', 'b', 'c'])}`;
  disk.rename(path, to);
  model.delete(path);
  model.set(to, before);
}

function order(a: string, b: string): number {
  return a < b ? -1 : 1;
}

function isCrash(error: unknown): boolean {
  return error instanceof SimulatedCrash;
}

run();

/**
 * The planted bugs, and which test must find each of them. Texts are those of the compiled files.
 */
import type { Edit, TestRun } from './mutants.js';
import { PLANTED_SERVICE_BUGS } from './planted-service-bugs.js';

export interface PlantedBug {
  title: string;
  edits: readonly Edit[];
  foundBy: TestRun;
  /** What the output must show: the right reason. */
  because: RegExp;
}

const POWER_LOSS: TestRun = {
  test: 'test/shard/crash-recovery.test.js',
  env: { CRASH_SEEDS: '300' },
};
const POWER_ORDER: TestRun = { test: 'test/shard/power-loss-order.test.js' };
const FAILED_SYNC: TestRun = { test: 'test/shard/failed-sync.test.js' };
const RECOVERY: TestRun = { test: 'test/shard/recovery-order.test.js' };
const INCARNATION: TestRun = { test: 'test/storage/wal-incarnation.test.js' };
const TERMINATION: TestRun = {
  test: 'test/rigs/shard-terminate.test.js',
  env: { RIG_TERMINATIONS: '5' },
};
const SPACE: TestRun = { test: 'test/rigs/space.test.js' };
const FULL_DISK: TestRun = { test: 'test/rigs/full-disk.test.js' };
const PROCESS_KILL: TestRun = { test: 'test/rigs/process-kill.test.js', env: { RIG_KILLS: '4' } };

const MODEL: TestRun = {
  test: 'test/rigs/model.test.js',
  env: { MODEL_SEEDS: '1', MODEL_OPERATIONS: '4000' },
};

/** Crashes in the workloads whose name holds this, and in the openings after them. */
function crashStates(only: string): TestRun {
  return { test: 'test/rigs/crash-states.test.js', env: { RIG_CRASH_ONLY: only } };
}

/** Failing calls in the workloads whose name holds this. */
function nthCall(only: string): TestRun {
  return { test: 'test/rigs/nth-call.test.js', env: { RIG_NTH_WORKLOADS: only } };
}

const fuzzOf = (decoder: string): TestRun => ({
  test: 'test/fuzz/fuzz.test.js',
  env: { FUZZ_ONLY: decoder, FUZZ_COUNT: '20000' },
});

const DAMAGE: TestRun = {
  test: 'test/rigs/damage.test.js',
  env: { RIG_DAMAGE_FLIPS: '0' },
};

/** A key has a wrong value, or recovery finds what must be there gone and refuses. */
const LOSS = /key-\d+: found|CorruptionError|are damaged|StormError: .*(?:missing|no CURRENT)/;

const WAL_WRITER = 'src/storage/wal-writer.js';
const WAL_READER = 'src/storage/wal-reader.js';
const ENGINE = 'src/shard/engine.js';
const HOUSEKEEPER = 'src/shard/housekeeper.js';
const MERGES = 'src/shard/merges.js';
const RECOVERY_FILE = 'src/shard/recovery.js';

/** Opening the log goes on in its last segment, behind everything that is there. */
const REOPENED_SEGMENT: Edit[] = [
  {
    file: WAL_WRITER,
    find: 'this.#current = this.#openSegment(start.end);',
    replace: 'this.#current = this.#reopenLast(start);',
  },
  {
    file: WAL_WRITER,
    find: 'get syncedThrough() {',
    replace: `#reopenLast({ live, end }) {
        const last = live.at(-1);
        if (last === undefined) return this.#openSegment(end);
        this.#full.pop();
        const handle = this.#fs.open(last.path, 'update');
        const bytes = new Uint8Array(last.sizeBytes);
        handle.readAt(bytes, 0, bytes.length, 0);
        const isUsed = (at) => bytes.subarray(at, at + 4096).some((byte) => byte !== 0);
        let offset = end.endOffset;
        while (offset < bytes.length && isUsed(offset)) offset += 4096;
        const { nonce, chain } = end;
        return { ...last, handle, nonce, chain, offset, syncedOffset: offset };
      }
      get syncedThrough() {`,
  },
];

/** Frames are handed to the system only some time after they were answered. */
const LATE_WRITES: Edit[] = [
  {
    file: WAL_WRITER,
    find: 'current.handle.writeAt(bytes, 0, size, current.offset);',
    replace: `const copy = bytes.slice(0, size), { handle, offset } = current;
      setTimeout(() => handle.writeAt(copy, 0, size, offset), 30);`,
  },
];

export const PLANTED_BUGS: readonly PlantedBug[] = [
  {
    title: 'acknowledging before the sync',
    edits: [
      {
        file: ENGINE,
        find: "if (this.#options.walSync === 'always') this.#wal.requestSync();",
        replace: '',
      },
      {
        file: ENGINE,
        find: "return walSync === 'always' ? this.#wal.syncedThrough : this.#wal.appendedThrough;",
        replace: 'return this.#wal.appendedThrough;',
      },
      {
        file: ENGINE,
        find: 'this.#freezeForWal(); const keeperDue',
        replace: 'this.#wal.requestSync(); this.#freezeForWal(); const keeperDue',
      },
    ],
    foundBy: POWER_LOSS,
    because: LOSS,
  },
  {
    title: 'counting frames as synced without an fdatasync',
    edits: [
      {
        file: WAL_WRITER,
        find: 'current.handle.syncData(); current.syncedOffset',
        replace: 'current.syncedOffset',
      },
    ],
    foundBy: POWER_LOSS,
    because: LOSS,
  },
  {
    title: 'acknowledging before the write, a killed process',
    edits: LATE_WRITES,
    foundBy: PROCESS_KILL,
    because: /lost:.w|Acknowledged bytes of the WAL are damaged/,
  },
  {
    title: 'acknowledging before the write, a terminated shard',
    edits: LATE_WRITES,
    foundBy: TERMINATION,
    because: /lost:.w|went back|Acknowledged bytes of the WAL are damaged|every writer writes/,
  },
  {
    title: 'no sync of a segment header before its frames',
    edits: [
      {
        file: WAL_WRITER,
        find: 'handle.writeAt(block, 0, block.length, 0); handle.syncData();',
        replace: 'handle.writeAt(block, 0, block.length, 0);',
      },
    ],
    foundBy: POWER_ORDER,
    because: LOSS,
  },
  {
    title: 'no directory sync after a new WAL segment',
    edits: [{ file: WAL_WRITER, find: 'this.#fs.syncDir(this.#dir);', replace: '' }],
    foundBy: POWER_ORDER,
    because: /name of a new segment/,
  },
  {
    title: 'no directory sync after a WAL segment was filled ahead',
    edits: [{ file: 'src/compactor/run-job.js', find: 'fs.syncDir(job.dir);', replace: '' }],
    foundBy: POWER_LOSS,
    because: LOSS,
  },
  {
    title: 'no directory sync after new tables',
    edits: [
      {
        file: 'src/compactor/write-tables.js',
        find: 'if (this.#finished.length > 0) this.#fs.syncDir(this.#dir);',
        replace: '',
      },
    ],
    foundBy: POWER_ORDER,
    because: LOSS,
  },
  {
    title: 'no directory sync after CURRENT was replaced',
    edits: [{ file: 'src/storage/checked-json.js', find: 'fs.syncDir(dir);', replace: '' }],
    foundBy: POWER_ORDER,
    because: LOSS,
  },
  {
    title: 'no directory sync between a manifest and the CURRENT that names it',
    edits: [
      { file: 'src/storage/manifest-log.js', find: 'this.#fs.syncDir(this.#dir);', replace: '' },
    ],
    foundBy: RECOVERY,
    because: LOSS,
  },
  {
    title: 'no sync of CURRENT before it gets its name',
    edits: [{ file: 'src/storage/checked-json.js', find: 'handle.syncData();', replace: '' }],
    foundBy: POWER_ORDER,
    because: LOSS,
  },
  {
    title: 'no sync of a manifest edit before it counts',
    edits: [{ file: 'src/storage/manifest-log.js', find: 'handle.syncData();', replace: '' }],
    foundBy: POWER_ORDER,
    because: LOSS,
  },
  {
    title: 'no sync of a table before it is committed',
    edits: [
      {
        file: 'src/storage/table-writer.js',
        find: 'this.#handle.syncData(); this.#close();',
        replace: 'this.#close();',
      },
    ],
    foundBy: POWER_ORDER,
    because: LOSS,
  },
  {
    title: 'no sync of replayed segments before they are served',
    edits: [{ file: RECOVERY_FILE, find: 'handle.syncData();', replace: '' }],
    foundBy: RECOVERY,
    because: LOSS,
  },
  {
    title: 'syncing once more after a failed sync',
    edits: [
      {
        file: WAL_WRITER,
        find: "this.#guard('sync the WAL', () => this.#syncCurrent());",
        replace: 'try { this.#syncCurrent(); } catch { this.#syncCurrent(); }',
      },
    ],
    foundBy: FAILED_SYNC,
    because: LOSS,
  },
  {
    title: 'trusting the page cache after a failed sync',
    edits: [
      {
        file: RECOVERY_FILE,
        find: 'const isSuspect = distrust || isDistrusted(fs, dir);',
        replace: 'const isSuspect = false;',
      },
    ],
    foundBy: FAILED_SYNC,
    because: LOSS,
  },
  {
    title: 'taking frames of any former life of the segment',
    edits: [
      {
        file: WAL_READER,
        find: 'header === undefined || header.nonce !== this.end.nonce',
        replace: 'header === undefined',
      },
      {
        file: WAL_READER,
        find: 'header.chain !== this.end.chain || header.firstSequence !== this.end.lastSequence + 1',
        replace: 'false',
      },
    ],
    foundBy: POWER_LOSS,
    because: /the last sequence is|key-/,
  },
  {
    title: 'taking frames with another nonce',
    edits: [
      {
        file: WAL_READER,
        find: 'header === undefined || header.nonce !== this.end.nonce',
        replace: 'header === undefined',
      },
    ],
    foundBy: INCARNATION,
    because: /nonce of another life/,
  },
  {
    title: 'taking frames that do not continue the chain',
    edits: [{ file: WAL_READER, find: 'header.chain !== this.end.chain || ', replace: '' }],
    foundBy: INCARNATION,
    because: /follows another frame/,
  },
  {
    title: 'taking frames out of sequence',
    edits: [
      {
        file: WAL_READER,
        find: '|| header.firstSequence !== this.end.lastSequence + 1',
        replace: '',
      },
    ],
    foundBy: INCARNATION,
    because: /skips or repeats/,
  },
  {
    title: 'taking damage for a torn tail',
    edits: [{ file: WAL_READER, find: 'later.syncedOffset > end', replace: 'false' }],
    foundBy: INCARNATION,
    because: /refuses when a later frame/,
  },
  {
    title: 'sweeping before the new manifest is durable',
    edits: [
      { file: RECOVERY_FILE, find: 'sweep(env, dir, state, manifest.number);', replace: '' },
      {
        file: RECOVERY_FILE,
        find: 'const manifest = keep(ManifestLog.start(',
        replace:
          'sweep(env, dir, state, found?.number ?? 0);' +
          'const manifest = keep(ManifestLog.start(',
      },
    ],
    foundBy: RECOVERY,
    because: /table that the manifest names is missing/,
  },
  {
    title: 'appending behind a torn tail',
    edits: REOPENED_SEGMENT,
    foundBy: POWER_LOSS,
    because: LOSS,
  },
  {
    title: 'releasing WAL segments before the manifest edit',
    edits: [
      {
        file: HOUSEKEEPER,
        find: 'this.#wal.release(flushedSequence, this.holds.keepFrom, minSegment);',
        replace: '',
      },
      {
        file: HOUSEKEEPER,
        find: 'this.#commit(makeEdit, () => { this.tablesAtMs',
        replace:
          'this.#wal.release(flushedSequence);this.#commit(makeEdit, () => { this.tablesAtMs',
      },
    ],
    foundBy: POWER_ORDER,
    because: LOSS,
  },
  {
    title: 'unlinking merged tables before the manifest edit',
    edits: [
      {
        file: MERGES,
        find: 'this.#host.commit(makeEdit, effects, merge.ready);',
        replace:
          'for (const { number } of removed) this.#host.removeTable(number);' +
          'this.#host.commit(makeEdit, effects, merge.ready);',
      },
      {
        // Nor does it wait for the maps of them.
        file: 'src/shard/doomed-tables.js',
        find: 'this.#waiting.push({ name, dueMs: this.#env.clock.monotonicMs() + REMOVE_AFTER_MS });',
        replace: "try { this.#env.fs.remove(this.#dir + '/' + name); } catch {}",
      },
    ],
    foundBy: POWER_ORDER,
    because: LOSS,
  },
  {
    title: 'dropping a delete above an older version',
    edits: [
      {
        file: 'src/compactor/live-versions.js',
        find: 'isGone && stripe === 0 && !mayHide(from, older)',
        replace: 'isGone && stripe === 0',
      },
    ],
    foundBy: POWER_LOSS,
    because: /key-\d+: found/,
  },
  {
    title: 'merging away what a snapshot still sees',
    edits: [
      {
        file: ENGINE,
        find: 'const sequences = () => this.#snapshots.sequences();',
        replace: 'const sequences = () => [];',
      },
    ],
    foundBy: MODEL,
    because: /(next key|value of .*|how many entries).* scan.*: found/,
  },
  {
    title: 'a scan that shows what was written after its snapshot',
    edits: [
      {
        file: 'src/shard/range-scan.js',
        find: 'if (isDecided || source.sequence > snapshot) {',
        replace: 'if (isDecided) {',
      },
    ],
    foundBy: MODEL,
    because: /(next key|value of .*|how many entries).* scan.*: found/,
  },
  {
    title: 'judging a condition without the writes ahead of it',
    edits: [
      {
        file: ENGINE,
        find: 'const unsettled = [group, ...this.#pending.slice().reverse()];',
        replace: 'const unsettled = [];',
      },
    ],
    foundBy: MODEL,
    because: /a batch of \d+: found/,
  },
  {
    title: 'counting the expiry of replayed writes from another moment',
    edits: [
      {
        file: RECOVERY_FILE,
        find: 'this.#places.applyTo(table, bytes, from, count, commitTimeMs, firstSequence);',
        replace:
          'this.#places.applyTo(table, bytes, from, count, commitTimeMs + 1000, firstSequence);',
      },
    ],
    foundBy: MODEL,
    because: /found .*, expected/,
  },
  {
    title: 'leaving the maps of replaced tables to chance',
    edits: [
      {
        file: 'src/shard/shard-thread.js',
        find: "if (step.kind === 'collect') { collectGarbage();",
        replace: "if (step.kind === 'collect') {",
      },
    ],
    foundBy: SPACE,
    because: /stay taken by tables without a name/,
  },
  {
    title: 'a first WAL segment with holes',
    edits: [
      {
        file: WAL_WRITER,
        find: 'createZeroFile(this.#fs, path, this.#options.segmentBytes);',
        replace: `const handle = this.#fs.open(path, 'create');
        handle.truncate(this.#options.segmentBytes);
        handle.close();`,
      },
    ],
    foundBy: FULL_DISK,
    because: /UNAVAILABLE/,
  },
  {
    title: 'removing spare segments before the new manifest is durable',
    edits: [
      { file: RECOVERY_FILE, find: 'removeSpares(fs, reading); const wal', replace: '; const wal' },
      {
        file: RECOVERY_FILE,
        find: 'const ownerEpoch = Math.max(',
        replace:
          'if (isSuspect && reading !== undefined) removeSpares(fs, reading);' +
          'const ownerEpoch = Math.max(',
      },
    ],
    foundBy: crashStates('with distrust'),
    because: /segment \d+ is missing or doubled/,
  },
  {
    title: 'no fresh copies of segments after a failed sync',
    edits: [
      {
        file: RECOVERY_FILE,
        find: 'if (isSuspect) replaceByFreshCopy',
        replace: 'if (slot < 0) replaceByFreshCopy',
      },
    ],
    foundBy: crashStates('with distrust'),
    because: /then .*CorruptionError/s,
  },
  {
    title: 'taking a frame whose checksum does not hold',
    edits: [
      {
        file: 'src/storage/log-frame.js',
        find: '|| crc32(bytes.subarray(at + AT_LENGTH, end)) !== header.crc',
        replace: '',
      },
    ],
    foundBy: crashStates('torn tail'),
    because: /Malformed entry run/,
  },
  {
    title: 'reusing the file numbers of the life before',
    edits: [{ file: RECOVERY_FILE, find: 'nextNumber: leaseEnd,', replace: '' }],
    foundBy: crashStates('flush'),
    because: /newer than the manifest|EEXIST/,
  },
  {
    title: 'a segment whose header names an end that was not synced',
    edits: [
      {
        file: WAL_WRITER,
        find: 'this.#syncCurrent(); handle.close();',
        replace: 'handle.close();',
      },
    ],
    foundBy: crashStates('leave syncs to the system'),
    because: /bytes of the WAL are damaged/,
  },
  {
    title: 'no sync of the shard folders before ROOT names them',
    edits: [
      {
        file: 'src/storage/root-manifest.js',
        find: 'fs.syncDir(dir); writeCheckedJson(',
        replace: 'writeCheckedJson(',
      },
    ],
    foundBy: crashStates('open an empty store'),
    because: /is missing, but ROOT names/,
  },
  {
    title: 'files that stay open when an opening fails',
    edits: [
      {
        file: RECOVERY_FILE,
        find: 'for (const one of opened.reverse()) one.close();',
        replace: '',
      },
    ],
    foundBy: nthCall('put'),
    because: /files are still open/,
  },
  {
    title: 'taking a short read for the end of the log',
    edits: [
      {
        file: WAL_READER,
        find: 'if (got === bytes.length) return bytes;',
        replace: 'return bytes.subarray(0, got);',
      },
    ],
    foundBy: nthCall('replay a segment of many'),
    because: /the last sequence is \d+, expected/,
  },
  {
    title: 'answering a write that failed',
    edits: [
      {
        file: WAL_WRITER,
        find: 'current.handle.writeAt(bytes, 0, size, current.offset);',
        replace: 'try { current.handle.writeAt(bytes, 0, size, current.offset); } catch {}',
      },
    ],
    foundBy: nthCall('put'),
    because: /the last sequence is \d+, expected|the shard does not open/,
  },
  {
    title: 'a watermark that is stuck at zero',
    edits: [
      {
        file: WAL_WRITER,
        find: 'syncedOffset: current.syncedOffset, commitTimeMs,',
        replace: 'syncedOffset: 0, commitTimeMs,',
      },
    ],
    foundBy: crashStates('batches in one group'),
    because: /the watermark of the frame at 4096 .* is 0/,
  },
  {
    title: 'a watermark ahead of the sync',
    edits: [
      {
        file: WAL_WRITER,
        find: 'syncedOffset: current.syncedOffset, commitTimeMs,',
        replace: 'syncedOffset: current.offset, commitTimeMs,',
      },
    ],
    foundBy: crashStates('leave syncs to the system'),
    because: /the watermark of the frame at \d+ .*, synced was/,
  },
  {
    title: 'passing over a checksum of a table that does not fit',
    edits: [
      {
        file: 'src/storage/table-format.js',
        find: 'if (found !== readU32(bytes, codecAt + 1))',
        replace: 'if (found === undefined)',
      },
    ],
    foundBy: DAMAGE,
    because: /expected|a.scan.found|threw/,
  },
  {
    title: 'taking a segment that lost its header for a spare',
    edits: [
      {
        file: WAL_READER,
        find: 'refuseLostHeaders(fs, others, Math.max(walk.end.lastSequence, flushedSequence));',
        replace: '',
      },
    ],
    foundBy: DAMAGE,
    because: /groups.are.lost/,
  },
  ...PLANTED_SERVICE_BUGS,
  {
    title: 'reading behind the end of an entry run',
    edits: [
      {
        file: 'src/base/entry-run.js',
        find: 'if (length > this.#end - at)',
        replace: 'if (length > this.bytes.length - at)',
      },
    ],
    foundBy: fuzzOf('entry-run'),
    because: /outside/,
  },
  {
    title: 'a frame of a ring that ends behind the ring',
    edits: [
      {
        file: 'src/rpc/ring-channel.js',
        find: 'const isWhole = size <= available && available <= this.#capacity;',
        replace: 'const isWhole = true;',
      },
      {
        file: 'src/rpc/ring-channel.js',
        find: '!isWhole || at + size > this.#capacity ||',
        replace: '!isWhole ||',
      },
    ],
    foundBy: fuzzOf('ring-memory'),
    because: /lies.outside|more.frames.than.fit|RangeError/,
  },
  {
    title: 'taking as much memory as a damaged block asks for',
    edits: [
      {
        file: 'src/storage/block-codec.js',
        find: 'rawLength > lengthMax',
        replace: 'rawLength > TABLE_BYTES_LIMIT',
      },
    ],
    foundBy: fuzzOf('block-deflate'),
    because: /asks.for.\d+.bytes.of.memory/,
  },
];

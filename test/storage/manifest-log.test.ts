import { readFileSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import { crc32 } from 'node:zlib';
import * as assert from 'uvu/assert';
import { CorruptionError, StormError } from '../../src/base/errors.js';
import { writeCheckedJson } from '../../src/storage/checked-json.js';
import {
  FRAME_ALIGN_BYTES,
  FRAME_EDIT,
  FRAME_HEADER_BYTES,
  FRAME_VERSION,
  type FrameHeader,
  frameBytes,
  peekFrame,
  sealFrame,
} from '../../src/storage/log-frame.js';
import { encodeEdit, type ManifestEdit } from '../../src/storage/manifest-format.js';
import { type ManifestLog, readManifest } from '../../src/storage/manifest-log.js';
import { applyEdit, EMPTY_STATE, type ManifestState } from '../../src/storage/manifest-state.js';
import {
  MANIFEST_DIR as DIR,
  MANIFEST_IDENTITY as IDENTITY,
  manifestDisk,
  placed,
  readState,
  startManifest,
} from '../harness/manifest-cases.js';
import type { SimulatedDisk } from '../harness/simulated-disk.js';
import { CRASH_MODES } from '../harness/simulated-file.js';
import { SimulatedCrash } from '../harness/simulated-operations.js';
import { suite } from '../harness/suite.js';

const { test, run } = suite('manifest log');
const GOLDEN = join(resolve(import.meta.dirname, '../../..'), 'test/testdata/manifest-v0.bin');
const FIRST = `${DIR}/manifest-000001.log`;

/** Three flushes, a reservation, a merge. */
const EDITS: readonly ManifestEdit[] = [
  { flushedSequence: 10, minSegment: 2, add: [placed(11, 10, 'a', 'm')], runs: [10] },
  { nextNumber: 80 },
  {
    flushedSequence: 25,
    durableSequence: 25,
    minSegment: 3,
    add: [placed(14, 13, 'c', 'z')],
    runs: [13, 10],
  },
  {
    flushedSequence: 31,
    minSegment: 3,
    add: [placed(16, 15, '', 'b'), placed(17, 15, 'c', 'd', { maxExpiresAtMs: 1_900_000_000_000 })],
    runs: [15, 13, 10],
  },
  { add: [placed(19, 18, 'a', 'z')], remove: [14, 11], runs: [15, 18] },
];

/** What must be read after so many of the edits. */
function stateAfter(edits: number, base: ManifestState): ManifestState {
  return EDITS.slice(0, edits).reduce(applyEdit, base);
}

function writtenManifest(): { disk: SimulatedDisk; log: ManifestLog; base: ManifestState } {
  const disk = manifestDisk();
  const log = startManifest(disk);
  const base = log.state;
  for (const edit of EDITS) log.commit(edit);
  return { disk, log, base };
}

function change(disk: SimulatedDisk, path: string, edit: (bytes: Uint8Array) => void): void {
  const bytes = disk.contentOf(path);
  edit(bytes);
  disk.replaceContent(path, bytes);
}

const isDamageAt = (file: string, offset: number) => (error: unknown) =>
  error instanceof CorruptionError && error.site.file === file && error.site.offset === offset;

test('reads back the state after every commit', () => {
  const disk = manifestDisk();
  assert.is(readState(disk), undefined);
  const log = startManifest(disk);
  const base = log.state;
  assert.equal(base, { ...EMPTY_STATE, nextNumber: 2 });
  assert.equal(readState(disk), base);
  EDITS.forEach((edit, i) => {
    assert.equal(log.commit(edit), stateAfter(i + 1, base));
    assert.equal(readState(disk), log.state);
  });
  disk.crash(1, 'synced-only');
  const found = readManifest(disk, DIR, IDENTITY);
  assert.equal(found, { state: stateAfter(EDITS.length, base), edits: 6, number: 1 });
});

test('reads and writes the golden file of version 0', () => {
  const { disk, base } = writtenManifest();
  const bytes = disk.contentOf(FIRST);
  if (process.env['REWRITE'] === '1') writeFileSync(GOLDEN, bytes);
  const golden = new Uint8Array(readFileSync(GOLDEN));
  assert.ok(Buffer.from(golden).equals(bytes), 'the writer gives other bytes than before');

  const copy = manifestDisk();
  copy.open(FIRST, 'create').close();
  copy.replaceContent(FIRST, golden);
  const nonce = peekFrame(golden, 0)?.nonce;
  writeCheckedJson(copy, DIR, 'CURRENT', { manifest: 1, nonce, storeUuid: IDENTITY.storeUuid });
  assert.equal(readState(copy), stateAfter(EDITS.length, base));
});

test('a new start describes the state in a new file and removes nothing that is not its own', () => {
  const { disk, log } = writtenManifest();
  log.close();
  const next = startManifest(disk, { ...log.state, ownerEpoch: 4 }, 2);
  assert.is(next.number, 80);
  assert.is(next.state.nextNumber, 81);
  assert.equal(readState(disk), { ...log.state, ownerEpoch: 4, nextNumber: 81 });
  assert.equal(disk.list(DIR), ['CURRENT', 'manifest-000001.log', 'manifest-000080.log']);
});

test('a manifest that has grown long is replaced by a snapshot, and its file removed', () => {
  const disk = manifestDisk();
  const log = startManifest(disk);
  for (let n = 2; log.number === 1; n++) log.commit({ nextNumber: n, minSegment: n });
  assert.equal(disk.list(DIR), ['CURRENT', `manifest-00${log.number}.log`]);
  const { sizeBytes = 0 } = disk.stat(`${DIR}/manifest-00${log.number}.log`) ?? {};
  assert.is(sizeBytes, 4096);
  assert.equal(readState(disk), log.state);
  assert.is(log.state.minSegment, 4 * 256 + 2);
});

test('a crash before any change leaves the state before the commit or after it', () => {
  let crashes = 0;
  const seen = new Set<string>();
  for (const mode of CRASH_MODES) {
    for (let at = 1, isDone = false; !isDone; at++) {
      const disk = manifestDisk();
      let committed: ManifestState | undefined;
      let tried: ManifestState | undefined;
      disk.crashBeforeChange(at);
      try {
        tried = { ...EMPTY_STATE, nextNumber: 2 };
        const log = startManifest(disk);
        committed = log.state;
        for (const edit of EDITS) {
          tried = applyEdit(log.state, edit);
          committed = log.commit(edit);
        }
        tried = { ...log.state, nextNumber: 81 };
        committed = startManifest(disk, log.state, 2).state;
        isDone = true;
      } catch (error) {
        if (!(error instanceof SimulatedCrash)) throw error;
      }
      disk.crash(at, mode);
      const found = readState(disk);
      const isBefore = isDeepStrictEqual(found, committed);
      const what = `${mode}, before change ${at}: ${JSON.stringify(found)}`;
      assert.ok(isBefore || isDeepStrictEqual(found, tried), what);
      seen.add(isBefore ? 'before' : 'after');
      crashes++;
    }
  }
  assert.is(seen.size, 2, 'both outcomes were met');
  assert.ok(crashes > 4 * 20, `${crashes} crashes`);
});

test('after a failed call the same commit goes to a new manifest, and no power loss undoes it', () => {
  const [first, second] = EDITS;
  if (first === undefined || second === undefined) throw new Error('There are edits');
  for (const kind of ['write', 'sync'] as const) {
    for (const code of ['EIO', 'ENOSPC', 'SHORT']) {
      if (kind === 'sync' && code === 'SHORT') continue;
      const disk = manifestDisk();
      const log = startManifest(disk);
      const base = log.state;
      log.commit(first);
      disk.fail({ kind, code });
      assert.throws(() => log.commit(second), undefined, `${kind} ${code}`);
      assert.equal(log.state, applyEdit(base, first), 'nothing has changed for the caller');
      const after = log.commit(second);
      assert.is(log.number, 80, 'the broken file takes nothing more');
      assert.equal(after, { ...applyEdit(applyEdit(base, first), second), nextNumber: 81 });
      assert.equal(disk.list(DIR), ['CURRENT', 'manifest-000080.log']);
      disk.crash(1, 'synced-only');
      assert.equal(readState(disk), after);
    }
  }
});

test('any call of a switch may fail, again and again, until one attempt succeeds', () => {
  const [edit] = EDITS;
  if (edit === undefined) throw new Error('There are edits');
  const kinds = ['open', 'write', 'sync', 'syncDir', 'rename', 'remove'] as const;
  for (const kind of kinds) {
    for (const nth of [1, 2]) {
      const disk = manifestDisk();
      const log = startManifest(disk);
      const before = log.state;
      const edited = applyEdit(log.state, edit);
      disk.fail({ kind: 'write', code: 'EIO' });
      assert.throws(() => log.commit(edit));
      let failures = 0;
      for (let tries = 0; log.number === 1; tries++) {
        if (tries < 5) disk.fail({ kind, code: 'EIO', nth });
        try {
          log.commit(edit);
        } catch {
          failures++;
        }
        disk.clearFaults();
        // Whatever has become of it, one of both states is there for the next life.
        const copy = disk.clone();
        copy.crash(tries, 'subset');
        const found = readState(copy);
        assert.ok(found !== undefined);
        const after = { ...edited, nextNumber: found.nextNumber };
        const isOne = isDeepStrictEqual(found, before) || isDeepStrictEqual(found, after);
        assert.ok(isOne, `${kind} ${nth}, try ${tries}`);
      }
      assert.is(failures > 0, kind !== 'remove' && !(kind === 'rename' && nth === 2));
      assert.equal(readState(disk), log.state);
      const manifests = disk.list(DIR).filter((name) => name.startsWith('manifest'));
      assert.is(manifests.length, kind === 'remove' && nth === 1 ? 2 : 1, `${kind} ${nth}`);
    }
  }
});

test('attempts on a full disk leave no files behind', () => {
  const disk = manifestDisk();
  const log = startManifest(disk);
  disk.quotaBytes = disk.usedBytes;
  for (let tries = 0; tries < 20; tries++) {
    assert.throws(() => log.commit({ nextNumber: 50 }), /ENOSPC/);
  }
  assert.equal(disk.list(DIR), ['CURRENT', 'manifest-000001.log']);
  disk.quotaBytes = 2 ** 30;
  log.commit({ nextNumber: 50 });
  assert.equal(readState(disk), log.state);
  assert.is(disk.list(DIR).length, 2);
});

test('an edit that contradicts the state changes nothing and breaks nothing', () => {
  const { disk, log } = writtenManifest();
  const before = disk.contentOf(FIRST);
  assert.throws(() => log.commit({ remove: [99] }), /removed but not there/);
  assert.equal(disk.contentOf(FIRST), before);
  log.commit({ nextNumber: 200 });
  assert.is(log.number, 1);
  assert.is(readState(disk)?.nextNumber, 200);
});

test('a closed manifest takes no commit, and touches nothing', () => {
  const { disk, log } = writtenManifest();
  log.close();
  const changes = disk.changeCount;
  for (let tries = 0; tries < 3; tries++) {
    assert.throws(() => log.commit({ nextNumber: 300 }), /closed/);
  }
  assert.is(disk.changeCount, changes);
});

/** Where the frames begin, and where their payloads end. */
function framesOf(disk: SimulatedDisk): { at: number; end: number }[] {
  const bytes = disk.contentOf(FIRST);
  const frames: { at: number; end: number }[] = [];
  for (let at = 0; at < bytes.length; ) {
    const length = peekFrame(bytes, at)?.payloadLength ?? 0;
    frames.push({ at, end: at + FRAME_HEADER_BYTES + length });
    at += frameBytes(length);
  }
  return frames;
}

test('a flipped byte of any edit but the last is refused, with the place', () => {
  const { disk } = writtenManifest();
  for (const { at, end } of framesOf(disk).slice(0, -1)) {
    for (let i = at; i < end; i += i < at + FRAME_HEADER_BYTES ? 1 : 7) {
      const copy = disk.clone();
      change(copy, FIRST, (bytes) => bytes.fill((bytes[i] ?? 0) ^ 0x20, i, i + 1));
      assert.throws(() => readState(copy), isDamageAt(FIRST, at), `byte ${i}`);
    }
  }
});

test('damage to the last edit cannot be told from an unfinished one: the state before it', () => {
  const { disk, base } = writtenManifest();
  const last = framesOf(disk).at(-1) ?? { at: 0, end: 0 };
  for (let i = last.at; i < last.end; i++) {
    const copy = disk.clone();
    change(copy, FIRST, (bytes) => bytes.fill((bytes[i] ?? 0) ^ 0x20, i, i + 1));
    assert.equal(readState(copy), stateAfter(EDITS.length - 1, base), `byte ${i}`);
  }
  change(disk, FIRST, (bytes) => bytes.fill(1, last.end));
  assert.equal(readState(disk), stateAfter(EDITS.length, base), 'padding does not matter');
});

test('a manifest cut at any length gives a former state, or is refused when none is left', () => {
  const { disk, base } = writtenManifest();
  const whole = disk.contentOf(FIRST);
  const frames = framesOf(disk);
  const firstEnd = frames[0]?.end ?? 0;
  for (let length = 0; length < whole.length; length += length % 512 < 300 ? 13 : 1) {
    disk.replaceContent(FIRST, whole.slice(0, length));
    if (length < firstEnd) {
      assert.throws(() => readState(disk), isDamageAt(FIRST, 0), `length ${length}`);
    } else {
      const edits = frames.filter(({ end }) => end <= length).length - 1;
      assert.equal(readState(disk), stateAfter(edits, base), `length ${length}`);
    }
  }
});

test('a CURRENT with any bit flipped, or cut, is refused', () => {
  const { disk } = writtenManifest();
  const current = `${DIR}/CURRENT`;
  const whole = disk.contentOf(current);
  for (let bit = 0; bit < whole.length * 8; bit++) {
    disk.replaceContent(current, whole);
    change(disk, current, (bytes) => {
      bytes[bit >> 3] = (bytes[bit >> 3] ?? 0) ^ (1 << (bit & 7));
    });
    assert.throws(() => readState(disk), isDamageAt(current, 0), `bit ${bit}`);
  }
  for (let length = 0; length < whole.length; length++) {
    disk.replaceContent(current, whole.slice(0, length));
    assert.throws(() => readState(disk), isDamageAt(current, 0), `length ${length}`);
  }
});

test('a CURRENT that names no manifest, or one that is missing, is refused', () => {
  const { disk } = writtenManifest();
  const { storeUuid } = IDENTITY;
  for (const wrong of [
    {},
    { manifest: '1', nonce: 5, storeUuid },
    { manifest: 1.5, nonce: 5, storeUuid },
    { manifest: -1, nonce: 5, storeUuid },
    { manifest: 1, nonce: null, storeUuid },
  ]) {
    writeCheckedJson(disk, DIR, 'CURRENT', wrong);
    assert.throws(() => readState(disk), /CURRENT names no manifest/);
  }
  writeCheckedJson(disk, DIR, 'CURRENT', { manifest: 7, nonce: 5, storeUuid });
  assert.throws(() => readState(disk), isDamageAt(`${DIR}/manifest-000007.log`, 0));
});

test('a manifest under the name of another one is refused', () => {
  const { disk, log } = writtenManifest();
  startManifest(disk, log.state, 2);
  disk.replaceContent(`${DIR}/manifest-000080.log`, disk.contentOf(FIRST));
  assert.throws(() => readState(disk), isDamageAt(`${DIR}/manifest-000080.log`, 0));
});

test('files of another store or shard are refused', () => {
  const { disk } = writtenManifest();
  const storeUuid = 'ffeeddccbbaa99887766554433221100';
  const read = (identity: typeof IDENTITY) => () => readManifest(disk, DIR, identity);
  assert.throws(read({ ...IDENTITY, storeUuid }), isDamageAt(`${DIR}/CURRENT`, 0));
  assert.throws(read({ ...IDENTITY, shard: 3 }), isDamageAt(FIRST, 0));
  const nonce = peekFrame(disk.contentOf(FIRST), 0)?.nonce;
  writeCheckedJson(disk, DIR, 'CURRENT', { manifest: 1, nonce, storeUuid });
  assert.throws(read({ ...IDENTITY, storeUuid }), isDamageAt(FIRST, 0));
});

/** Appends a frame that continues the manifest, but for `changes`. */
function appendFrame(
  disk: SimulatedDisk,
  edit: object,
  changes: Partial<FrameHeader> = {},
): number {
  const bytes = disk.contentOf(FIRST);
  const last = peekFrame(bytes, framesOf(disk).at(-1)?.at ?? 0);
  if (last === undefined) throw new Error('There is a last frame');
  const payload = encodeEdit(edit);
  const frame = new Uint8Array(frameBytes(payload.length));
  frame.set(payload, FRAME_HEADER_BYTES);
  const offset = bytes.length;
  const header = { ...last, payloadLength: payload.length, offset, chain: last.crc, ...changes };
  const view = new DataView(frame.buffer);
  sealFrame(frame, view, header);
  // Sealing knows only the present version.
  view.setUint8(11, changes.version ?? FRAME_VERSION);
  view.setUint32(0, crc32(frame.subarray(4, FRAME_HEADER_BYTES + payload.length)), true);
  disk.replaceContent(FIRST, Buffer.concat([bytes, frame]));
  return offset;
}

test('frames that are whole but contradict what is known are refused, with the place', () => {
  for (const [edit, changes, why] of [
    [{ remove: [99] }, {}, /removed but not there/],
    [{ later: 1 }, {}, /unknown field/],
    [{ nextNumber: 1 }, {}, /nextNumber falls/],
    [{ snapshot: { version: 0, shard: 2, storeUuid: '', ownerEpoch: 1 } }, {}, /first edit/],
    [{}, { chain: 1 }, /damaged/],
  ] as const) {
    const { disk } = writtenManifest();
    const at = appendFrame(disk, edit, changes);
    assert.throws(() => readState(disk), isDamageAt(FIRST, at));
    assert.throws(() => readState(disk), why);
  }
});

test('a first edit that is no snapshot is refused', () => {
  const { disk } = writtenManifest();
  const { nonce } = peekFrame(disk.contentOf(FIRST), 0) ?? { nonce: 0 };
  const payload = encodeEdit({ nextNumber: 5 });
  const frame = new Uint8Array(frameBytes(payload.length));
  frame.set(payload, FRAME_HEADER_BYTES);
  sealFrame(frame, new DataView(frame.buffer), {
    payloadLength: payload.length,
    type: FRAME_EDIT,
    count: 1,
    nonce,
    offset: 0,
    firstSequence: 0,
    syncedOffset: 0,
    commitTimeMs: 0,
    chain: 0,
  });
  disk.replaceContent(FIRST, frame);
  assert.throws(() => readState(disk), isDamageAt(FIRST, 0));
});

test('a frame of another type or version is refused, naming what was found', () => {
  const isNewer = (error: unknown) =>
    error instanceof StormError && error.code === 'FAILED_PRECONDITION';
  for (const [changes, found] of [
    [
      { type: FRAME_EDIT + 1 },
      /version 0 and type 5 at \d+, this program reads version 0 and type 4/,
    ],
    [{ version: 3 }, /version 3 and type 4 at \d+, this program reads version 0 and type 4/],
  ] as const) {
    const { disk } = writtenManifest();
    appendFrame(disk, {}, changes);
    assert.throws(() => readState(disk), isNewer);
    assert.throws(() => readState(disk), found);
  }
});

test('frames that a former file left behind at this place mean nothing', () => {
  const { disk, base } = writtenManifest();
  appendFrame(disk, { remove: [99] }, { nonce: 1 });
  assert.equal(readState(disk), stateAfter(EDITS.length, base));
});

test('a read error is passed on and never taken for an empty manifest', () => {
  const { disk } = writtenManifest();
  for (const nth of [1, 2]) {
    disk.fail({ kind: 'read', code: 'EIO', nth });
    assert.throws(() => readState(disk), /EIO/);
    disk.fail({ kind: 'open', code: 'EMFILE', nth });
    assert.throws(() => readState(disk), /EMFILE/);
  }
});

test('each edit owns whole blocks of 4 KiB', () => {
  const { disk } = writtenManifest();
  for (const { at } of framesOf(disk)) assert.is(at % FRAME_ALIGN_BYTES, 0);
  assert.is(disk.contentOf(FIRST).length % FRAME_ALIGN_BYTES, 0);
});

run();

import * as assert from 'uvu/assert';
import { fileNumber } from '../../src/base/ids.js';
import type { Finding } from '../../src/storage/check-finding.js';
import { surveyManifest } from '../../src/storage/check-manifest.js';
import type { PlacedTable } from '../../src/storage/manifest-format.js';
import { ManifestLog } from '../../src/storage/manifest-log.js';
import { EMPTY_STATE, type ManifestState } from '../../src/storage/manifest-state.js';
import { SeededRandom } from '../harness/seeded-random.js';
import { SimulatedDisk } from '../harness/simulated-disk.js';
import { suite } from '../harness/suite.js';

const { test, run } = suite('surveyManifest');

const TABLE: PlacedTable = {
  number: fileNumber(2),
  run: 1,
  sizeBytes: 100,
  crc32: 1,
  entryCount: 1,
  tombstoneCount: 0,
  immortalCount: 1,
  minKey: new Uint8Array(1),
  maxKey: new Uint8Array(1),
  minSequence: 1,
  maxSequence: 9,
  minExpiresAtMs: 0,
  maxExpiresAtMs: 0,
};

/** A manifest with a snapshot and two edits. */
function manifestOnDisk(keyBytes = 1) {
  const disk = new SimulatedDisk();
  disk.makeDir('/d');
  const identity = { shard: 0, storeUuid: '00112233445566778899aabbccddeeff' };
  const log = ManifestLog.start(disk, '/d', new SeededRandom(1), identity, EMPTY_STATE);
  const path = `/d/${disk.list('/d').find((name) => name.startsWith('manifest'))}`;
  log.commit({ nextNumber: 80 });
  const key = new Uint8Array(keyBytes);
  log.commit({ flushedSequence: 9, add: [{ ...TABLE, minKey: key, maxKey: key }], runs: [1] });
  log.close();
  return { disk, path };
}

function survey(disk: SimulatedDisk, path: string) {
  const findings: Finding[] = [];
  const offsets: number[] = [];
  const states: ManifestState[] = [];
  surveyManifest(
    disk,
    path,
    { edit: (_edit, { offset }) => offsets.push(offset), end: (state) => states.push(state) },
    (finding) => findings.push(finding),
  );
  return { findings, offsets, state: states[0] };
}

function change(disk: SimulatedDisk, path: string, edit: (bytes: Uint8Array) => void) {
  const bytes = disk.contentOf(path);
  edit(bytes);
  disk.replaceContent(path, bytes);
  return survey(disk, path);
}

test('shows every edit and the state that they make', () => {
  const { disk, path } = manifestOnDisk();
  const { findings, offsets, state } = survey(disk, path);
  assert.equal(findings, []);
  assert.equal(offsets, [0, 4096, 8192]);
  assert.is(state?.nextNumber, 80);
  assert.is(state?.flushedSequence, 9);
});

test('any damaged edit is damage, also the last one where all of it is there', () => {
  for (const edit of [0, 1, 2]) {
    for (const byte of [0, 5, 8, 20, 57, 64, 70, 75]) {
      const { disk, path } = manifestOnDisk();
      const at = edit * 4096;
      const { findings, offsets } = change(disk, path, (bytes) => {
        bytes[at + byte]! ^= 0x40;
      });
      assert.equal(
        findings.map(({ severity, offset }) => [severity, offset]),
        [['damage', at]],
        `edit ${edit}, byte ${byte}`,
      );
      assert.is(offsets.length, edit);
    }
  }
});

test('a last edit of which a part is missing is what a crash leaves: a notice', () => {
  for (const edit of [
    (bytes: Uint8Array) => bytes.fill(0, 8192 + 66),
    (bytes: Uint8Array) => bytes.fill(0, 8192, 8192 + 512),
    (bytes: Uint8Array) => bytes.fill(0, 8192 + 512, 8192 + 1024),
  ]) {
    const { disk, path } = manifestOnDisk(600);
    const { findings, state } = change(disk, path, edit);
    assert.equal(
      findings.map(({ severity, offset }) => [severity, offset]),
      [['notice', 8192]],
    );
    assert.is(state?.flushedSequence, 0);
  }
  const { disk, path } = manifestOnDisk();
  assert.equal(change(disk, path, (bytes) => bytes.fill(0, 8192)).findings, []);
});

test('odd padding, an empty file and a missing one are damage', () => {
  const { disk, path } = manifestOnDisk();
  const { findings } = change(disk, path, (bytes) => bytes.fill(1, 4095, 4096));
  assert.equal(
    findings.map(({ severity, offset }) => [severity, offset]),
    [['damage', 4095]],
  );
  disk.replaceContent(path, new Uint8Array(0));
  assert.is(survey(disk, path).findings.length, 1);
  disk.remove(path);
  assert.is(survey(disk, path).findings.length, 1);
});

run();

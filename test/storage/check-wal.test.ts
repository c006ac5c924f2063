import * as assert from 'uvu/assert';
import type { Finding } from '../../src/storage/check-finding.js';
import { readWhole, surveySegment } from '../../src/storage/check-wal.js';
import { type FrameHeader, frameBytes } from '../../src/storage/log-frame.js';
import type { SegmentHeader } from '../../src/storage/wal-format.js';
import { EngineRig, RIG_DIR, smallOptions } from '../harness/engine-rig.js';
import { SimulatedDisk } from '../harness/simulated-disk.js';
import { suite } from '../harness/suite.js';

const { test, run } = suite('surveySegment');

/** A shard's first segment, after a few lone writes and an orderly close. */
function segmentOnDisk() {
  const disk = new SimulatedDisk();
  const rig = new EngineRig(disk, 1, smallOptions());
  for (let i = 0; i < 5; i++) rig.write([[{ key: `k${i}`, value: 'v'.repeat(i) }]]);
  rig.engine.close();
  const path = disk
    .list(RIG_DIR)
    .map((name) => `${RIG_DIR}/${name}`)
    .find((each) => /wal-/.test(each) && surveyAll(disk, each).header?.number === 1);
  if (path === undefined) throw new Error('There is no first segment');
  return { disk, path, survey: (stopAt?: number) => surveyAll(disk, path, stopAt) };
}

function surveyAll(disk: SimulatedDisk, path: string, stopAt?: number) {
  const findings: Finding[] = [];
  const frames: FrameHeader[] = [];
  const seen: { header?: SegmentHeader; blank?: boolean; end?: number } = {};
  surveySegment(
    disk,
    path,
    {
      header: (header) => Object.assign(seen, { header }),
      blank: () => Object.assign(seen, { blank: true }),
      frame: (header, payload) => {
        assert.is(payload.length, header.payloadLength);
        frames.push(header);
      },
      end: (end) => Object.assign(seen, { end }),
    },
    (finding) => findings.push(finding),
    stopAt,
  );
  return { findings, frames, ...seen };
}

function change(disk: SimulatedDisk, path: string, edit: (bytes: Uint8Array) => void): void {
  const bytes = disk.contentOf(path);
  edit(bytes);
  disk.replaceContent(path, bytes);
}

test('shows header and frames up to the end', () => {
  const { survey } = segmentOnDisk();
  const { findings, frames, header, end } = survey();
  assert.equal(findings, []);
  assert.is(header?.firstSequence, 1);
  assert.is(frames.length, 6);
  const last = frames.at(-1);
  assert.is(end, (last?.offset ?? 0) + frameBytes(last?.payloadLength ?? 0));
  assert.is(survey(frames[2]?.offset).frames.length, 2);
});

test('a damaged frame before a synced one is damage, and the later ones are shown', () => {
  const { disk, path, survey } = segmentOnDisk();
  const [, second, third] = survey().frames;
  change(disk, path, (bytes) => bytes.fill(0xff, (second?.offset ?? 0) + 66, third?.offset));
  const { findings, frames } = survey();
  assert.equal(
    findings.map(({ severity, offset }) => [severity, offset]),
    [['damage', second?.offset]],
  );
  assert.is(frames.length, 5);
});

test('a last frame that is torn is a notice, whatever mark of it is left', () => {
  const { disk, path, survey } = segmentOnDisk();
  const last = survey().frames.at(-1);
  const at = last?.offset ?? 0;
  const whole = disk.contentOf(path);
  for (let byte = 0; byte < 64; byte++) {
    change(disk, path, (bytes) => bytes.fill(whole[at + byte]! ^ 0x10, at + byte, at + byte + 1));
    const { findings, end } = survey();
    assert.equal(
      findings.map(({ severity, offset }) => [severity, offset]),
      [['notice', at]],
      `byte ${byte}`,
    );
    assert.is(end, at);
    disk.replaceContent(path, whole);
  }
});

test('odd padding is damage only where it was surely synced', () => {
  const { disk, path, survey } = segmentOnDisk();
  const { frames, end = 0 } = survey();
  const paddingOf = (frame: FrameHeader | undefined) =>
    (frame?.offset ?? 0) + 64 + (frame?.payloadLength ?? 0);
  change(disk, path, (bytes) => bytes.fill(1, paddingOf(frames[0]), paddingOf(frames[0]) + 1));
  change(disk, path, (bytes) => bytes.fill(1, end - 1, end));
  assert.equal(
    survey().findings.map(({ severity, offset }) => [severity, offset]),
    [
      ['damage', paddingOf(frames[0])],
      ['notice', end - 1],
    ],
  );
});

test('odd bytes behind a header are damage only where a frame proves that it was synced', () => {
  const { disk, path, survey } = segmentOnDisk();
  const spill = (): unknown => {
    change(disk, path, (bytes) => bytes.fill(1, 600, 601));
    return survey().findings.map(({ severity, offset }) => [severity, offset]);
  };
  assert.equal(spill(), [['damage', 600]]);
  change(disk, path, (bytes) => bytes.fill(0, 4096));
  assert.equal(spill(), [['notice', 600]]);
});

test('tells a blank segment, a damaged header, a wrong size and a missing file', () => {
  const { disk, path, survey } = segmentOnDisk();
  const whole = disk.contentOf(path);
  disk.replaceContent(path, new Uint8Array(8192));
  assert.is(survey().blank, true);
  const damaged = whole.slice();
  damaged[40]! ^= 1;
  disk.replaceContent(path, damaged);
  assert.match(survey().findings[0]?.what ?? '', 'header of the WAL segment');
  disk.replaceContent(path, whole.slice(0, 8192));
  assert.match(survey().findings[0]?.what ?? '', 'should have');
  const spilled = whole.slice();
  spilled[600] = 1;
  disk.replaceContent(path, spilled);
  assert.is(survey().findings[0]?.offset, 600);
  disk.replaceContent(path, new Uint8Array(0));
  assert.is(survey().findings.length, 1);
  assert.is(readWhole(disk, path).length, 0);
  disk.remove(path);
  assert.is(survey().findings.length, 1);
});

run();

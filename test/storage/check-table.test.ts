import { readFileSync, writeFileSync } from 'node:fs';
import { crc32 } from 'node:zlib';
import fc from 'fast-check';
import * as assert from 'uvu/assert';
import type { TableMeta } from '../../src/base/table-meta.js';
import type { Finding } from '../../src/storage/check-finding.js';
import { checkTable, type SurveyedBlock, surveyTable } from '../../src/storage/check-table.js';
import { tableFileName } from '../../src/storage/file-names.js';
import { nodeFileSystem } from '../../src/storage/node-file-system.js';
import { sealSection } from '../../src/storage/table-format.js';
import { entryAt, put, type TestEntry } from '../harness/entries.js';
import { suite } from '../harness/suite.js';
import {
  arbitraryEntries,
  arbitraryOptions,
  COMPRESSIONS,
  SMALL_TABLES,
  writeTable,
} from '../harness/table-cases.js';
import { withTempDir } from '../harness/temp-dir.js';

const { test, run } = suite('checkTable');

function checked(dir: string, meta: TableMeta): Finding[] {
  const findings: Finding[] = [];
  checkTable(nodeFileSystem, dir, meta, (finding) => findings.push(finding));
  return findings;
}

test('finds nothing in any table that the writer makes, and shows all of it', () =>
  withTempDir((dir) => {
    let number = 0;
    fc.assert(
      fc.property(arbitraryEntries(1, 40), arbitraryOptions, (entries, options) => {
        const meta = writeTable(nodeFileSystem, dir, ++number, entries, options);
        assert.equal(checked(dir, meta), []);
        const seen: TestEntry[] = [];
        const blocks: SurveyedBlock[] = [];
        surveyTable(
          nodeFileSystem,
          `${dir}/${tableFileName(meta.number)}`,
          { entry: (entry) => seen.push(entryAt(entry)), block: (block) => blocks.push(block) },
          () => assert.unreachable(),
        );
        assert.equal(seen, entries);
        assert.equal(
          blocks.map(({ block }) => block),
          blocks.map((_, i) => i),
        );
      }),
      { numRuns: 60 },
    );
  }));

test('finds every flipped bit of a small table, whatever its compression', () =>
  withTempDir((dir) => {
    const entries = Array.from({ length: 12 }, (_, i) => put(`key${10 + i}`, i + 1, 'aaaaaaaaaa'));
    COMPRESSIONS.forEach((compression, i) => {
      const options = { ...SMALL_TABLES, compression };
      const meta = writeTable(nodeFileSystem, dir, i + 1, entries, options);
      const path = `${dir}/${tableFileName(meta.number)}`;
      const whole = readFileSync(path);
      for (let at = 0; at < whole.length; at++) {
        const damaged = Buffer.from(whole);
        damaged[at]! ^= 1 << (at % 8);
        writeFileSync(path, damaged);
        const findings = checked(dir, meta);
        assert.ok(findings.length > 0, `${compression} ${at}`);
        for (const { file, offset, severity } of findings) {
          assert.is(file, path);
          assert.ok(offset <= at, 'the damage lies at or behind the place that is named');
          assert.is(severity, 'damage');
        }
      }
      writeFileSync(path, whole);
    });
  }));

test('goes on behind damaged blocks and lists each of them', () =>
  withTempDir((dir) => {
    const entries = Array.from({ length: 60 }, (_, i) => put(`key${10 + i}`, i + 1, 'value'));
    const meta = writeTable(nodeFileSystem, dir, 1, entries, SMALL_TABLES);
    const path = `${dir}/${tableFileName(meta.number)}`;
    const blocks: SurveyedBlock[] = [];
    const ignore = () => {};
    surveyTable(nodeFileSystem, path, { block: (block) => blocks.push(block) }, ignore);
    const bytes = readFileSync(path);
    const [, second, , fourth] = blocks;
    bytes[(second?.offset ?? 0) + 5]! ^= 1;
    bytes[(fourth?.offset ?? 0) + 5]! ^= 1;
    writeFileSync(path, bytes);
    let readable = 0;
    const findings: Finding[] = [];
    surveyTable(nodeFileSystem, path, { block: () => readable++ }, (f) => findings.push(f));
    assert.is(readable, blocks.length - 2);
    assert.equal(
      findings.map(({ offset }) => offset),
      [second?.offset, fourth?.offset],
    );
  }));

test('does not take good checksums for the truth: order, index, filter and counts', () =>
  withTempDir((dir) => {
    const entries = [put('a', 3, 'x'), put('b', 2, 'x'), put('c', 1, 'x')];
    const meta = writeTable(nodeFileSystem, dir, 1, entries, { ...SMALL_TABLES, blockBytes: 500 });
    const path = `${dir}/${tableFileName(meta.number)}`;
    const whole = readFileSync(path);
    let indexOffset = 0;
    const footer = { footer: (f: { indexOffset: number }) => (indexOffset = f.indexOffset) };
    surveyTable(nodeFileSystem, path, footer, () => {});
    const rewrite = (change: (block: Uint8Array) => void): string => {
      const bytes = new Uint8Array(whole);
      change(bytes);
      sealSection(bytes, 0, indexOffset - 5, 0);
      writeFileSync(path, bytes);
      const said = checked(dir, { ...meta, crc32: crc32(bytes) });
      return said.map(({ what }) => what).join('; ');
    };
    assert.is(
      rewrite(() => {}),
      '',
    );
    // The key of the second entry: b becomes @, before a and not in the filter.
    const keyAt = whole.indexOf('b');
    const unsorted = rewrite((bytes) => bytes.fill(0x40, keyAt, keyAt + 1));
    assert.match(unsorted, 'out of order');
    assert.match(unsorted, 'filter denies');
    const lastAt = whole.indexOf('c');
    assert.match(
      rewrite((bytes) => bytes.fill(0x64, lastAt, lastAt + 1)),
      'does not end where the index says',
    );
    // The first entry's flags say delete.
    assert.match(
      rewrite((bytes) => bytes.fill(1, 2, 3)),
      'tombstoneCount',
    );
  }));

test('compares the file with what the manifest says', () =>
  withTempDir((dir) => {
    const meta = writeTable(nodeFileSystem, dir, 1, [put('a', 1, 'x')]);
    const said = (change: Partial<TableMeta>) =>
      checked(dir, { ...meta, ...change })
        .map(({ what }) => what)
        .join('; ');
    assert.is(said({}), '');
    assert.match(said({ crc32: meta.crc32 ^ 1 }), 'checksum of the whole file');
    assert.match(said({ entryCount: 2 }), 'entryCount');
    assert.match(said({ sizeBytes: meta.sizeBytes + 1 }), 'should have');
    const path = `${dir}/${tableFileName(meta.number)}`;
    writeFileSync(path, new Uint8Array(10));
    assert.match(said({}), 'too short');
    writeFileSync(path, Buffer.alloc(meta.sizeBytes));
    assert.match(said({}), 'does not end like a table');
    writeFileSync(path, '');
    assert.match(said({}), 'too short');
  }));

run();

/** Files of a newer format are refused, with the version found and the one that is known. */
import { crc32 } from 'node:zlib';
import * as assert from 'uvu/assert';
import { StormError } from '../../src/base/errors.js';
import { storedEntries } from '../../src/offline/stored-entries.js';
import { readCheckedJson, writeCheckedJson } from '../../src/storage/checked-json.js';
import { dataDirOnDisk, filesOf } from '../harness/check-rig.js';
import { EngineRig, RIG_DIR, smallOptions } from '../harness/engine-rig.js';
import type { SimulatedDisk } from '../harness/simulated-disk.js';
import { suite } from '../harness/suite.js';

const { test, run } = suite('Format versions');

/** Changes bytes of a file and its checksum over [crcFrom, crcTo), which stands at `crcAt`. */
function patch(disk: SimulatedDisk, path: string, change: (bytes: Buffer) => void): void {
  const bytes = Buffer.from(disk.contentOf(path));
  change(bytes);
  const handle = disk.open(path, 'update');
  handle.writeAt(bytes, 0, bytes.length, 0);
  handle.close();
}

function newestOf(disk: SimulatedDisk, name: RegExp): string {
  const path = filesOf(disk, name).at(-1);
  if (path === undefined) throw new Error(`No file ${name}`);
  return path;
}

/** Each raises the version of one file of a sound data dir. */
const FORMATS: Record<string, (disk: SimulatedDisk) => void> = {
  ROOT: (disk) => {
    writeCheckedJson(disk, '/data', 'ROOT', {
      ...readCheckedJson(disk, '/data', 'ROOT'),
      version: 7,
    });
  },
  CURRENT: (disk) => {
    const fields = readCheckedJson(disk, RIG_DIR, 'CURRENT');
    writeCheckedJson(disk, RIG_DIR, 'CURRENT', { ...fields, version: 7 });
  },
  'manifest edit': (disk) => {
    patch(disk, newestOf(disk, /^manifest/), (bytes) => {
      const at = bytes.indexOf('"version":0');
      bytes.write('7', at + '"version":'.length);
      bytes.writeUInt32LE(crc32(bytes.subarray(4, 64 + bytes.readUInt32LE(4))), 0);
    });
  },
  'manifest frame': (disk) => {
    patch(disk, newestOf(disk, /^manifest/), (bytes) => {
      bytes[11] = 7;
      bytes.writeUInt32LE(crc32(bytes.subarray(4, 64 + bytes.readUInt32LE(4))), 0);
    });
  },
  'WAL segment': (disk) => {
    for (const path of filesOf(disk, /^wal/)) {
      patch(disk, path, (bytes) => {
        if (bytes.readUInt32LE(4) === 0) return;
        bytes.writeUInt32LE(7, 8);
        bytes.writeUInt32LE(crc32(bytes.subarray(4, 512)), 0);
      });
    }
  },
};

function refusalOf(body: () => unknown): StormError {
  try {
    body();
  } catch (error) {
    if (error instanceof StormError) return error;
    throw error;
  }
  throw new Error('It was not refused');
}

test('a newer format is refused by readers and by an opening, both versions named', () => {
  for (const [name, raise] of Object.entries(FORMATS)) {
    const disk = dataDirOnDisk();
    const storeUuid = String(readCheckedJson(disk, '/data', 'ROOT')?.['storeUuid']);
    raise(disk);
    const everything = { prefix: Buffer.alloc(0), nowMs: 1 };
    const read = refusalOf(() => [...storedEntries(disk, '/data', everything)].length);
    assert.is(read.code, 'FAILED_PRECONDITION', name);
    assert.match(read.message, /version 7.* 0/, name);
    if (name === 'ROOT') continue;
    const opened = refusalOf(() => new EngineRig(disk, 9, smallOptions({ storeUuid })));
    assert.is(opened.code, 'FAILED_PRECONDITION', name);
    assert.match(opened.message, /version 7.* 0/, name);
  }
});

run();

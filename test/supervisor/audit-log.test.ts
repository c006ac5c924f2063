import * as assert from 'uvu/assert';
import { AuditLog } from '../../src/supervisor/audit-log.js';
import { ManualClock } from '../harness/manual-clock.js';
import { SimulatedDisk } from '../harness/simulated-disk.js';
import { suite } from '../harness/suite.js';

const { test, run } = suite('AuditLog');

function rig(path: string) {
  const disk = new SimulatedDisk();
  disk.makeDir('/var');
  const said: string[] = [];
  const clock = new ManualClock();
  const log = {
    write: (level: string, message: string, fields: object = {}) =>
      void said.push(`${level} ${message} ${JSON.stringify(fields)}`),
  };
  return { disk, said, clock, make: () => new AuditLog({ path, fs: disk, log, clock }) };
}

function textOf(disk: SimulatedDisk, path: string): string {
  const file = disk.open(path, 'read');
  const bytes = Buffer.alloc(file.sizeBytes());
  file.readAt(bytes, 0, bytes.length, 0);
  file.close();
  return bytes.toString();
}

test('appends a line for each record, also to what a former process wrote', () => {
  const { disk, make } = rig('/var/audit');
  for (const principal of ['a', 'b']) {
    const audit = make();
    audit.write({ event: 'admin', operation: 'Compact', principal, outcome: 'ok' }, 1);
    audit.close();
  }
  const lines = textOf(disk, '/var/audit').trimEnd().split('\n');
  assert.equal(
    lines.map((line) => {
      const { time, ...rest } = JSON.parse(line);
      assert.type(time, 'string');
      return rest;
    }),
    ['a', 'b'].map((principal) => ({
      ...{ event: 'admin', operation: 'Compact', principal, outcome: 'ok', router: 1 },
    })),
  );
});

test('writes to a new file after the old one was moved away', () => {
  const { disk, make } = rig('/var/audit');
  const audit = make();
  audit.write({ event: 'write', key: 'before' }, undefined);
  disk.rename('/var/audit', '/var/audit.1');
  audit.reopen();
  audit.write({ event: 'write', key: 'after' }, undefined);
  assert.match(textOf(disk, '/var/audit.1'), /before/);
  assert.match(textOf(disk, '/var/audit'), /^[^\n]*after[^\n]*\n$/);
});

test('says in the log that it cannot write, once in a while, and goes on', () => {
  const { disk, said, clock, make } = rig('/var/audit');
  const audit = make();
  disk.fail({ kind: 'write', code: 'ENOSPC', sticky: true });
  for (let i = 0; i < 5; i++) audit.write({ event: 'refused' }, 0);
  assert.is(said.length, 1);
  assert.match(said[0] ?? '', /Audit lines cannot be written.*ENOSPC/);
  clock.advance(10_000);
  audit.write({ event: 'refused' }, 0);
  assert.is(said.length, 2);
});

test('is part of the log where no file is named, and refuses a file that cannot be', () => {
  const { said, make } = rig('');
  make().write({ event: 'refused', reason: 'unknown-token' }, 0);
  make().write({ event: 'admin', operation: 'Scrub' }, 0);
  assert.match(said[0] ?? '', /^warn Audit: refused .*unknown-token/);
  assert.match(said[1] ?? '', /^info Audit: admin/);
  assert.throws(rig('/none/audit').make, /Cannot write the audit file \/none\/audit/);
});

run();

import { join } from 'node:path';
import * as assert from 'uvu/assert';
import { backupCommand } from '../../src/cli/backup-command.js';
import { EXIT } from '../../src/cli/exit-codes.js';
import { runProgram } from '../../src/cli/program.js';
import { restoreCommand } from '../../src/cli/restore-command.js';
import { BACKUP_DIR, makeBackup } from '../harness/backup-cases.js';
import { copyToDisk } from '../harness/copy-to-disk.js';
import { suite } from '../harness/suite.js';
import { withTempDir } from '../harness/temp-dir.js';
import { capturedIo, withStore } from './cli-rig.js';

const { test, run } = suite('stormkv backup');
const MADE = makeBackup();

async function call(...args: string[]) {
  const io = capturedIo();
  const commands = [backupCommand, restoreCommand];
  const info = { name: 'stormkv', summary: '', version: '', examples: [], commands };
  const exit = await runProgram(info, args, io);
  return { exit, out: io.outText(), said: io.said.join('\n') };
}

const withBackup = (body: (dir: string, base: string) => Promise<void>) =>
  withTempDir(async (base) => {
    const dir = join(base, 'backups');
    copyToDisk(MADE.disk, BACKUP_DIR, dir);
    await body(dir, base);
  });

test('list and verify say what is there, as text and as JSON', () =>
  withBackup(async (dir) => {
    const list = await call('backup', 'list', dir, '--json');
    assert.is(list.exit, EXIT.ok);
    assert.is((JSON.parse(list.out) as { backups: { id: number }[] }).backups[0]?.id, 1);
    assert.match((await call('backup', 'list', dir)).out, 'complete at');
    const verify = await call('backup', 'verify', dir);
    assert.equal([verify.exit, verify.out.startsWith('No damage')], [EXIT.ok, true]);
    const one = await call('backup', 'verify', dir, '--id', '1', '--json');
    assert.is((JSON.parse(one.out) as { ok: boolean }).ok, true);
    assert.is((await call('backup', 'verify', dir, '--id', '2')).exit, EXIT.notFound);
  }));

test('restore makes a data dir once, and says through which sequence number', () =>
  withBackup(async (dir, base) => {
    const to = join(base, 'data');
    const done = await call('restore', dir, to);
    assert.is(done.exit, EXIT.ok, done.said);
    assert.match(done.out, `through sequence ${MADE.inventory.shards[0]?.sequence}`);
    assert.is((await call('restore', dir, to)).exit, EXIT.failure);
    const bounds = await call('restore', dir, join(base, 'b'), '--to-seq', '0:1');
    assert.equal(
      [bounds.exit, /covers the sequence numbers/.test(bounds.said)],
      [EXIT.usage, true],
    );
  }));

test('what makes no sense is wrong usage, or not found', () =>
  withBackup(async (dir, base) => {
    assert.is((await call('backup', 'prove', dir)).exit, EXIT.usage);
    assert.is((await call('backup', 'list', base)).exit, EXIT.notFound);
    for (const wrong of ['yesterday', '2026-13-45', '1.5']) {
      assert.is((await call('restore', dir, join(base, 'x'), '--to-time', wrong)).exit, EXIT.usage);
    }
    for (const wrong of ['1', '0:1:2', ':5', '0:', 'a:b']) {
      assert.is((await call('restore', dir, join(base, 'x'), '--to-seq', wrong)).exit, EXIT.usage);
    }
    const both = ['--to-seq', '0:300', '--to-time', '1'];
    assert.is((await call('restore', dir, join(base, 'x'), ...both)).exit, EXIT.usage);
  }));

test('a backup is asked for, waited for, and reported', () =>
  withStore(async ({ target, admin }) => {
    const report = JSON.stringify({ id: 4, files: 7, bytes: 2048, newBytes: 1024 });
    admin.taskStatus = { ...admin.taskStatus, state: 'done', report };
    const done = await call('backup', '/backups', '--copy', '--target', target);
    assert.is(done.exit, EXIT.ok, done.said);
    assert.match(done.out, 'Backup 4 in /backups: 7 files');
    assert.equal(admin.backups, [{ dir: '/backups', isLink: false }]);
    const failed = { code: 'DATA_CORRUPTION', message: 'a table is damaged' };
    admin.taskStatus = { ...admin.taskStatus, state: 'failed', ...failed };
    const bad = await call('backup', '/backups', '--target', target);
    assert.equal([bad.exit, bad.said.includes('is damaged')], [EXIT.corruption, true]);
  }));

run();

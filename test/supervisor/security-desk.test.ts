import { writeFileSync } from 'node:fs';
import * as assert from 'uvu/assert';
import type { SecuritySettings } from '../../src/rpc/door-security.js';
import { nodeFileSystem } from '../../src/storage/node-file-system.js';
import { SecurityDesk } from '../../src/supervisor/security-desk.js';
import { ManualClock } from '../harness/manual-clock.js';
import { suite } from '../harness/suite.js';
import { withTempDir } from '../harness/temp-dir.js';
import { ManualTimers } from './manual-timers.js';

const { test, run } = suite('SecurityDesk');
const HASH = `sha256:${'ab'.repeat(32)}`;

function rig(dir: string) {
  const principalsFile = `${dir}/who.json`;
  const write = (...names: string[]) => {
    const principals = names.map((name, i) => ({ name, tokens: [HASH.replace(/ab$/, `0${i}`)] }));
    writeFileSync(principalsFile, JSON.stringify({ principals }));
  };
  write('a');
  const said: string[] = [];
  const sent: SecuritySettings[] = [];
  const timers = new ManualTimers();
  const desk = new SecurityDesk({
    paths: { certFile: '', keyFile: '', clientCaFile: '', clientAuth: 'none', principalsFile },
    filesCheckMs: 1000,
    auditFile: '',
    fs: nodeFileSystem,
    log: { write: (level, message) => void said.push(`${level} ${message}`) },
    clock: new ManualClock(),
    timers,
  });
  desk.start((settings) => sent.push(settings));
  const names = () => sent.at(-1)?.principals?.map(({ name }) => name);
  return { desk, timers, write, said, sent, names, principalsFile };
}

test('sends what has changed, and nothing where nothing has', () =>
  withTempDir((dir) => {
    const { desk, timers, write, sent, names } = rig(dir);
    timers.advance(5000);
    assert.is(sent.length, 0);
    write('a', 'b');
    timers.advance(1000);
    assert.equal(names(), ['a', 'b']);
    write('b');
    assert.equal(desk.reload(), { changed: true, error: '' });
    assert.equal(names(), ['b']);
    desk.close();
    assert.is(timers.count, 0);
  }));

test('goes on with the former ones while a file is broken, and says so once', () =>
  withTempDir((dir) => {
    const { desk, timers, write, said, sent, principalsFile } = rig(dir);
    writeFileSync(principalsFile, '{"principals": [');
    timers.advance(3000);
    assert.is(sent.length, 0);
    assert.is(said.filter((line) => line.startsWith('error')).length, 1);
    assert.match(desk.reload().error, /not well-formed JSON/);
    write('c');
    timers.advance(1000);
    assert.is(sent.length, 1);
    desk.close();
  }));

run();

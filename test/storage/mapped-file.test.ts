import { execFileSync } from 'node:child_process';
import { closeSync, openSync, unlinkSync, writeFileSync } from 'node:fs';
import { Worker } from 'node:worker_threads';
import * as assert from 'uvu/assert';
import { mapFile, mappingAvailable } from '../../src/storage/mapped-file.js';
import { suite } from '../harness/suite.js';
import { withTempDir } from '../harness/temp-dir.js';

const { test, run } = suite('mapFile');

test('maps the whole file, which stays readable after close and removal', () =>
  withTempDir((dir) => {
    if (!mappingAvailable()) return;
    const path = `${dir}/f`;
    writeFileSync(path, Buffer.alloc(10_000, 'x'));
    const fd = openSync(path, 'r');
    const view = mapFile(fd, 10_000);
    closeSync(fd);
    unlinkSync(path);
    assert.is(view?.length, 10_000);
    assert.ok(view?.every((byte) => byte === 0x78));
    assert.is(Object.getPrototypeOf(view), Uint8Array.prototype);
  }));

test('refuses an empty file and one of 2 GiB', () =>
  withTempDir((dir) => {
    writeFileSync(`${dir}/f`, '');
    const fd = openSync(`${dir}/f`, 'r');
    assert.is(mapFile(fd, 0), undefined);
    assert.is(mapFile(fd, 2 ** 31), undefined);
    closeSync(fd);
  }));

test('answers undefined where the system refuses the map', () => {
  assert.is(mapFile(1_000_000, 4096), undefined);
});

test('does not let its loader see the flags of the program, which keeps them', () => {
  if (!mappingAvailable()) return;
  const module = new URL('../../src/storage/mapped-file.js', import.meta.url).href;
  const program = `
    import { mappingAvailable } from ${JSON.stringify(module)};
    console.log(mappingAvailable(), process.argv.slice(-3).join(' '));`;
  for (const flags of [
    ['first', '--dir', '/nowhere'],
    ['first', '-C', '/nowhere'],
  ]) {
    const args = ['--input-type=module', '--eval', program, '--', ...flags];
    const output = execFileSync(process.execPath, args, { encoding: 'utf8' });
    assert.is(output, `true ${flags.join(' ')}\n`);
  }
});

test('works in several threads at a time', () =>
  withTempDir(async (dir) => {
    if (!mappingAvailable()) return;
    writeFileSync(`${dir}/f`, 'storm');
    const module = new URL('../../src/storage/mapped-file.js', import.meta.url).href;
    const program = `
      import { openSync } from 'node:fs';
      import { parentPort } from 'node:worker_threads';
      import { mapFile } from ${JSON.stringify(module)};
      const view = mapFile(openSync(${JSON.stringify(`${dir}/f`)}, 'r'), 5);
      parentPort.postMessage(Buffer.from(view).toString());`;
    const url = new URL(`data:text/javascript,${encodeURIComponent(program)}`);
    const answers = await Promise.all([url, url].map(answerOf));
    assert.equal(answers, ['storm', 'storm']);
  }));

function answerOf(url: URL): Promise<unknown> {
  return new Promise((resolve, reject) => {
    const worker = new Worker(url);
    worker.once('message', (answer) => {
      worker.terminate().then(() => resolve(answer), reject);
    });
    worker.once('error', reject);
  });
}

run();

import * as assert from 'uvu/assert';
import { EXIT } from '../../src/cli/exit-codes.js';
import { suite } from '../harness/suite.js';
import { callCommand as call, inStore } from './cli-rig.js';

const { test, run } = suite('stormkv get');

test(
  'get prints the bytes and nothing else, with a line end only for a terminal',
  inStore(async ({ values }, at) => {
    values.set('k', Buffer.from([1, 254, 0]));
    const plain = await call(['get', 'k', ...at]);
    assert.is(plain.exit, EXIT.ok);
    assert.equal(plain.bytes, Buffer.from([1, 254, 0]));
    const shown = await call(['get', 'k', ...at], { outIsTerminal: true });
    assert.equal(shown.bytes, Buffer.from([1, 254, 0, 10]));
  }),
);

test(
  'get says a missing key on stderr and exits with 3',
  inStore(async (_rig, at) => {
    const { exit, out, said } = await call(['get', 'no"ne', ...at]);
    assert.is(exit, EXIT.notFound);
    assert.is(out, '');
    assert.equal(said, ['No value under "no\\"ne"']);
  }),
);

test(
  'get --json prints text as text and other bytes as base64',
  inStore(async ({ values }, at) => {
    values.set('t', Buffer.from('grün\n'));
    values.set('b', Buffer.from([255]));
    const outputs = [];
    for (const key of ['t', 'b', 'none']) outputs.push(await call(['get', key, '--json', ...at]));
    assert.equal(
      outputs.map(({ out }) => out),
      [
        '{"key":"t","found":true,"version":1,"value":"grün\\n"}\n',
        '{"key":"b","found":true,"version":2,"valueBase64":"/w=="}\n',
        '{"key":"none","found":false}\n',
      ],
    );
    assert.equal(
      outputs.map(({ exit }) => exit),
      [EXIT.ok, EXIT.ok, EXIT.notFound],
    );
  }),
);

run();

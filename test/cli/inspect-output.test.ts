import * as assert from 'uvu/assert';
import { findingText, InspectOutput, textOfTime } from '../../src/cli/inspect-output.js';
import { suite } from '../harness/suite.js';
import { capturedIo } from './cli-rig.js';

const { test, run } = suite('InspectOutput');

const DAMAGE = { severity: 'damage', file: 'f', offset: 7, what: 'Torn' } as const;

test('writes lines for people, without what is undefined', () => {
  const io = capturedIo();
  const output = new InspectOutput(io, false);
  output.line('block', { number: 5, rawLength: 7, codec: undefined, present: false });
  output.found(DAMAGE);
  output.found({ ...DAMAGE, severity: 'notice' });
  assert.is(
    io.outText(),
    'block      number 5, raw length 7, present false\n' +
      'DAMAGE  f at 7: Torn\nnotice  f at 7: Torn\n',
  );
  assert.is(output.damageCount, 1);
  assert.is(findingText(DAMAGE), 'DAMAGE  f at 7: Torn');
});

test('writes one JSON object per line for programs', () => {
  const io = capturedIo();
  const output = new InspectOutput(io, true);
  output.line('  put', { key: Buffer.from('"a"'), value: Uint8Array.of(0xff, 0), no: undefined });
  output.found(DAMAGE);
  const lines = io.outText().trimEnd().split('\n');
  assert.equal(
    lines.map((line) => JSON.parse(line)),
    [
      { what: 'put', key: '"a"', valueBase64: '/wA=' },
      { what: 'damage', file: 'f', offset: 7, message: 'Torn' },
    ],
  );
});

test('shows text as text, other bytes as base64, and any time', () => {
  const io = capturedIo();
  new InspectOutput(io, false).line('put', { a: Buffer.from('a "b"\n'), b: Uint8Array.of(255) });
  assert.is(io.outText(), 'put        a "a \\"b\\"\\n", b base64:/w==\n');
  assert.is(textOfTime(0), '1970-01-01T00:00:00.000Z');
  assert.is(textOfTime(Number.MAX_SAFE_INTEGER), '9007199254740991');
});

run();

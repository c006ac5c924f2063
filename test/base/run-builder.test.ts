import fc from 'fast-check';
import * as assert from 'uvu/assert';
import { RunReader } from '../../src/base/entry-run.js';
import { RunBuilder } from '../../src/base/run-builder.js';
import { suite } from '../harness/suite.js';

const { test, run } = suite('RunBuilder');

test('builds runs that RunReader reads, again after clear', () => {
  const bytes = fc.oneof(
    fc.uint8Array({ maxLength: 50 }),
    fc.constantFrom(255, 256, 65_536).map((length) => new Uint8Array(length).fill(1)),
  );
  const entry = fc.record({
    key: bytes,
    value: fc.option(bytes, { nil: undefined }),
    ttlMs: fc.nat(3),
  });
  const builder = new RunBuilder();
  const reader = new RunReader();
  const slice = (start: number, length: number) =>
    new Uint8Array(reader.bytes.slice(start, start + length));
  fc.assert(
    fc.property(fc.array(entry, { maxLength: 8 }), (entries) => {
      builder.clear();
      for (const { key, value, ttlMs } of entries) {
        if (value === undefined) builder.delete(key);
        else builder.put(key, value, ttlMs);
      }
      assert.is(builder.count, entries.length);
      const view = builder.runView();
      assert.is(view.length, builder.length);
      reader.reset(view, 0, view.length);
      for (const { key, value, ttlMs } of entries) {
        assert.ok(reader.next());
        assert.equal(slice(reader.keyStart, reader.keyLength), key);
        assert.is(reader.isDelete, value === undefined);
        if (value === undefined) continue;
        assert.equal(slice(reader.valueStart, reader.valueLength), value);
        assert.is(reader.ttlMs, ttlMs);
      }
      assert.not(reader.next());
    }),
  );
});

run();

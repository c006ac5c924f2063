/**
 * Every decoder against inputs made out of valid ones (test/fuzz/corpus): it accepts or throws what
 * it documents, looks at nothing outside of its input, asks for no time or memory that an input
 * only claims to need, and what it accepts can be written and read again.
 *
 * FUZZ_COUNT: inputs for each decoder. FUZZ_SEED, FUZZ_FROM: the n-th input depends on the seed and
 * n alone, so that a long run can be done in parts, and FUZZ_FROM=n FUZZ_COUNT=1 makes one again.
 * FUZZ_ONLY: the name of a decoder.
 */
import * as assert from 'uvu/assert';
import { lz4Available } from '../../src/storage/block-codec.js';
import { fuzz } from '../harness/fuzz-run.js';
import { suite } from '../harness/suite.js';
import { DOOR_TARGETS } from './door-targets.js';
import { readCorpus } from './make-corpus.js';
import { RPC_TARGETS } from './rpc-targets.js';
import { STORAGE_TARGETS } from './storage-targets.js';

const { test, run } = suite('Fuzz');
const COUNT = Number(process.env['FUZZ_COUNT'] ?? 100_000);
const SEED = Number(process.env['FUZZ_SEED'] ?? 1);
const FROM = Number(process.env['FUZZ_FROM'] ?? 0);
const ONLY = process.env['FUZZ_ONLY'];
/** Fewer may by chance be all good or all bad. */
const BOTH_FROM = 1000;
const DEADLINE_MS = 24 * 3_600_000;

const all = [...STORAGE_TARGETS, ...RPC_TARGETS, ...DOOR_TARGETS];
const targets = all.filter(({ name }) => {
  const isThere = name !== 'block-lz4' || lz4Available();
  return isThere && (ONLY === undefined || ONLY === name);
});

for (const target of targets) {
  test(
    `${target.name} keeps its promises`,
    async () => {
      const range = { seed: SEED, from: FROM, count: COUNT };
      const tally = await fuzz(target, readCorpus(target.name), range);
      const { faults, ...counts } = tally;
      console.log(`RIG fuzz ${JSON.stringify({ ...counts, seed: SEED, from: FROM })}`);
      assert.is(faults.join('\n'), '');
      if (COUNT < BOTH_FROM) return;
      assert.ok(tally.accepted > 0 && tally.rejected > 0, 'the fuzzer does not reach inside');
    },
    DEADLINE_MS,
  );
}

run();

import * as assert from 'uvu/assert';
import type { OptionValues } from '../../src/cli/command.js';
import { stormOptionsOf } from '../../src/cli/storm-arguments.js';
import { suite } from '../harness/suite.js';
import { capturedIo } from './cli-rig.js';

const { test, run } = suite('Arguments of stormkv storm');

const RECORDED = JSON.stringify({
  kind: 'stormkv recorded storm',
  format: 1,
  profile: 'uniform',
  door: 'grpc',
  seed: 1,
  offeredPerSecond: [6, 0, 4],
  submissionsPerSecond: [3, 0, 2],
  entriesPerSubmission: { mean: 2, max: 2 },
  keyBytes: { mean: 16, max: 16 },
  valueBytes: { mean: 64, max: 64 },
  readShare: 0,
});

function optionsOf(options: OptionValues) {
  const readFile = () => Buffer.from(RECORDED);
  return stormOptionsOf(capturedIo({ readFile }), { profile: 'uniform', ...options });
}

test('each way to say a pace becomes one, and the profile has its own', async () => {
  assert.equal((await optionsOf({})).pace, { kind: 'rate', perSecond: 10_000 });
  assert.equal((await optionsOf({ rate: '70' })).pace, { kind: 'rate', perSecond: 70 });
  assert.equal((await optionsOf({ callers: '8' })).pace, { kind: 'callers', count: 8 });
  const { pace } = await optionsOf({ replay: 'f.json' });
  assert.equal(pace, { kind: 'recorded', perSecond: [3, 0, 2] });
});

test('profiles have keys and skew of their own, which options change', async () => {
  const size = { entries: 1, valueBytes: 64 };
  assert.equal((await optionsOf({})).profile, { name: 'uniform', ...size });
  const overwrite = { name: 'overwrite', keys: 1000, skew: 0, readShare: 0, ...size };
  assert.equal((await optionsOf({ profile: 'overwrite' })).profile, overwrite);
  const mixed = { profile: 'mixed', keys: '7', skew: '1.5', readShare: '0.25' };
  const expected = { name: 'mixed', keys: 7, skew: 1.5, readShare: 0.25, ...size };
  assert.equal((await optionsOf(mixed)).profile, expected);
});

test('several targets come with commas', async () => {
  const { targets } = await optionsOf({ target: '127.0.0.1:1, 127.0.0.1:2' });
  assert.equal(targets, ['127.0.0.1:1', '127.0.0.1:2']);
});

const WRONG: readonly [OptionValues, RegExp][] = [
  [{ door: 'window' }, /--door must be one of ingest, client, grpc, http: found "window"/],
  [{ verify: 'some' }, /--verify must be one of all, sample, none/],
  [{ rate: '0' }, /--rate must be a whole number from 1/],
  [{ profile: 'mixed', readShare: '1.5' }, /--read-share must be a number from 0 to 1/],
  [{ profile: 'hotkeys', skew: '-1' }, /--skew must be a number from 0 to 4/],
  [{ rate: '1', replay: 'f' }, /Only one of .*found --rate and --replay/],
  [{ questionnaire: 'f' }, /--questionnaire is for the profile epro only/],
];

for (const [options, message] of WRONG) {
  test(`${JSON.stringify(options)} is refused, with what would be right`, async () => {
    const error = await optionsOf(options).then(
      () => undefined,
      (cause: unknown) => cause,
    );
    assert.match(`${error}`, message);
    assert.is((error as { code?: unknown } | undefined)?.code, 'INVALID_ARGUMENT');
  });
}

run();

import * as assert from 'uvu/assert';
import { configChanges } from '../../src/config/config-changes.js';
import { configWith, loadConfig } from '../../src/config/load-config.js';
import { suite } from '../harness/suite.js';

const { test, run } = suite('configChanges');

test('tells what takes effect at once from what needs a restart', () => {
  const before = configWith({});
  assert.equal(configChanges(before, configWith({})), { applied: [], needRestart: [] });
  const after = configWith({
    writeBucket: { rate: 500 },
    breaker: { scopes: [] },
    router: { threads: 2 },
  });
  assert.equal(configChanges(before, after), {
    applied: ['writeBucket.rate', 'breaker.scopes'],
    needRestart: ['router.threads'],
  });
});

test('fractions and lists come from the environment too', () => {
  const env = {
    STORMKV_BREAKER_RATIO: '0.75',
    STORMKV_BREAKER_SCOPES: 'global,write',
    STORMKV_CALLER_BUCKET_QUOTAS: 'analytics scan 10 20,etl all 5 6',
  };
  const { breaker, callerBucket } = loadConfig({ env }).config;
  assert.is(breaker.ratio, 0.75);
  assert.equal(breaker.scopes, ['global', 'write']);
  assert.equal(callerBucket.quotas, ['analytics scan 10 20', 'etl all 5 6']);
  assert.throws(() => loadConfig({ env: { STORMKV_BREAKER_RATIO: 'half' } }), /from 0 to 1/);
});

run();

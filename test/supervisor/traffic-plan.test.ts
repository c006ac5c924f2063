import * as assert from 'uvu/assert';
import { configWith } from '../../src/config/load-config.js';
import { trafficSettings } from '../../src/supervisor/traffic-plan.js';
import { suite } from '../harness/suite.js';

const { test, run } = suite('trafficSettings');

test('by default nothing is limited, and the breakers are those of the classes of data', () => {
  const { buckets, quotas, breaker } = trafficSettings(configWith({}));
  for (const { rate } of Object.values(buckets)) assert.is(rate, 0);
  assert.equal(quotas, []);
  assert.equal(breaker.scopes, ['read', 'write', 'scan']);
  const { windowMs, buckets: parts, ratio, requests } = breaker;
  assert.equal([windowMs, parts, ratio, requests], [5000, 10, 0.5, 100]);
});

test('takes every bucket and quota from where it is configured', () => {
  const config = configWith({
    bucket: { burst: 1, rate: 2 },
    readBucket: { burst: 3, rate: 4 },
    writeBucket: { burst: 5, rate: 6 },
    scanBucket: { burst: 7, rate: 8 },
    adminBucket: { burst: 9, rate: 10 },
    callerBucket: { burst: 11, rate: 12, quotas: ['analytics scan 100 200', '::1 all 0 1'] },
  });
  const { buckets, quotas } = trafficSettings(config);
  assert.equal(buckets, {
    global: { burst: 1, rate: 2 },
    read: { burst: 3, rate: 4 },
    write: { burst: 5, rate: 6 },
    scan: { burst: 7, rate: 8 },
    admin: { burst: 9, rate: 10 },
    caller: { burst: 11, rate: 12 },
  });
  assert.equal(quotas, [
    { caller: 'analytics', kind: 'scan', rate: 100, burst: 200 },
    { caller: '::1', kind: 'all', rate: 0, burst: 1 },
  ]);
});

test('quotas and scopes that say nothing are refused with what they must be', () => {
  const quotas = ['analytics scan 100', 'a b 1 1', 'a scan 1 0', 'a scan -1 1', ' scan 1 1'];
  for (const quota of quotas) {
    assert.throws(() => configWith({ callerBucket: { quotas: [quota] } }), /CALLER CLASS RATE/);
  }
  assert.throws(() => configWith({ breaker: { scopes: ['writes'] } }), /out of global, read/);
  for (const ratio of [-0.1, 1.1, Number.NaN]) {
    assert.throws(() => configWith({ breaker: { ratio } }), /a number from 0 to 1/);
  }
});

run();

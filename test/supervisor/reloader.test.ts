import * as assert from 'uvu/assert';
import type { Config } from '../../src/config/config.js';
import { configWith } from '../../src/config/load-config.js';
import { Reloader } from '../../src/supervisor/reloader.js';
import { suite } from '../harness/suite.js';

const { test, run } = suite('Reloader');
const NOTHING_NEW = { changed: false, error: '' };

function rig(security = NOTHING_NEW) {
  const config = configWith({});
  const rates: number[] = [];
  const world = { config, now: config as Config, rates, fault: undefined as Error | undefined };
  const reloader = new Reloader({
    config,
    read() {
      if (world.fault !== undefined) throw world.fault;
      return world.now;
    },
    security: { reload: () => security },
    log: { write: () => {} },
  });
  reloader.start(({ writeBucket }) => rates.push(writeBucket.rate));
  return { ...world, world, reloader };
}

test('puts into effect what can change, once, and names what needs a restart, each time', () => {
  const { world, reloader, rates } = rig();
  assert.equal(reloader.reload().applied, []);
  world.now = configWith({ writeBucket: { rate: 500 }, router: { threads: 2 } });
  const [first, second] = [reloader.reload(), reloader.reload()];
  assert.equal([first.applied, first.needRestart], [['writeBucket.rate'], ['router.threads']]);
  assert.equal([second.applied, second.needRestart], [[], ['router.threads']]);
  world.now = world.config;
  assert.equal(reloader.reload().applied, ['writeBucket.rate']);
  assert.equal(rates, [500, 0]);
});

test('changes nothing for a configuration with faults', () => {
  const { world, reloader, rates } = rig();
  world.fault = new Error('2 faults');
  assert.throws(() => reloader.reload(), /2 faults/);
  assert.equal(rates, []);
});

test('looks at certificates and principals where there is no configuration to read', () => {
  const security = { reload: () => ({ changed: true, error: 'no such file' }) };
  const log = { write: () => {} };
  const reloader = new Reloader({ config: configWith({}), read: undefined, security, log });
  const { securityChanged, securityError } = reloader.reload();
  assert.equal([securityChanged, securityError], [true, 'no such file']);
});

run();

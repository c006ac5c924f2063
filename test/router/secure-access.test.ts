import * as assert from 'uvu/assert';
import type { StormError } from '../../src/base/errors.js';
import { suite } from '../harness/suite.js';
import { as, principal, secureRig } from './secure-rig.js';

const { test, run } = suite('SecureAccess');
const EVERYTHING = { rights: ['read', 'write', 'scan', 'admin'], prefix: '' } as const;

function codeOf(body: () => unknown): string {
  try {
    body();
    return 'ok';
  } catch (error) {
    return (error as StormError).code;
  }
}

test('lets nobody in but principals, tells why, and says so in the audit', () => {
  const rig = secureRig([principal('root', EVERYTHING)]);
  const { access, lines } = rig;
  for (const open of [access.kv, access.admin, access.authenticate, access.observer]) {
    assert.is(
      codeOf(() => open.call(access, as('root'))),
      'ok',
    );
    assert.is(
      codeOf(() => open.call(access, as('nobody'))),
      'UNAUTHENTICATED',
    );
    const bare = { ...as('root'), authorization: undefined };
    assert.is(
      codeOf(() => open.call(access, bare)),
      'UNAUTHENTICATED',
    );
  }
  assert.equal(
    lines.map(({ event, peer, reason }) => [event, peer, reason]),
    [
      ['refused', '127.0.0.1', 'unknown-token'],
      ['refused', '127.0.0.1', 'no-credentials'],
    ],
  );
});

test('administering needs its right, and what was done is told', () => {
  const rig = secureRig([
    principal('root', EVERYTHING),
    principal('user', { rights: ['read', 'write', 'scan'], prefix: '' }),
  ]);
  const codes: (string | undefined)[] = [];
  rig.access.admin(as('user')).stats(1000, (error) => codes.push(error?.code));
  rig.access.admin(as('user')).scrub(1000, (error) => codes.push(error?.code));
  rig.access.admin(as('root')).stats(1000, (error) => codes.push(error?.code));
  rig.access.admin(as('root')).scrub(1000, (error) => codes.push(error?.code));
  const denied = 'PERMISSION_DENIED';
  assert.equal(codes, [denied, denied, 'UNIMPLEMENTED', 'UNIMPLEMENTED']);
  assert.equal(rig.asked, ['stats', 'scrub']);
  assert.equal(
    rig.lines.map(({ event, principal, operation }) => [event, principal, operation]),
    [
      ['refused', 'user', 'stats'],
      ['refused', 'user', 'scrub'],
      ['admin', 'root', 'scrub'],
    ],
  );
});

test('figures are for administrators, or for everybody where that is said', () => {
  const ask = (rig: ReturnType<typeof secureRig>, who: string) =>
    codeOf(() => rig.access.observer(as(who)).stats(1000, () => {}));
  const closed = secureRig([principal('root', EVERYTHING)]);
  assert.is(ask(closed, 'nobody'), 'UNAUTHENTICATED');
  assert.not.ok(closed.access.observersAreOpen);
  const open = secureRig([principal('root', EVERYTHING)], { metricsPublic: true });
  assert.is(ask(open, 'nobody'), 'ok');
  assert.ok(open.access.observersAreOpen);
  assert.equal(open.asked, ['stats']);
});

test('without principals the store is handed out as it is, unless writes are audited', () => {
  const open = secureRig(undefined);
  assert.is(open.access.kv(as('any')), open.store.cluster.router);
  const audited = secureRig(undefined, { writes: true });
  assert.is.not(audited.access.kv(as('any')), audited.store.cluster.router);
  const key = Buffer.from('k');
  audited.access.kv(as('any')).set(key, key, Infinity, () => {});
  audited.store.cluster.settle();
  assert.equal(
    audited.lines.map(({ event, principal, operation }) => [event, principal, operation]),
    [['write', undefined, 'Set']],
  );
});

run();

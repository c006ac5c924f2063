import * as assert from 'uvu/assert';
import { canSharePorts, planDoors } from '../../src/supervisor/router-doors.js';
import { suite } from '../harness/suite.js';

const { test, run } = suite('The doors of several routers');
const GRPC = '127.0.0.1:8081';
const HTTP = '127.0.0.1:8080';

test('one router has the configured addresses', () => {
  assert.equal(planDoors(1, GRPC, HTTP, true), [
    { grpcAddress: GRPC, httpAddress: HTTP, sharesPorts: false },
  ]);
});

test('further routers have the gRPC ports behind the first, and no HTTP', () => {
  assert.equal(planDoors(3, GRPC, HTTP, false), [
    { grpcAddress: GRPC, httpAddress: HTTP, sharesPorts: false },
    { grpcAddress: '127.0.0.1:8082', httpAddress: '', sharesPorts: false },
    { grpcAddress: '127.0.0.1:8083', httpAddress: '', sharesPorts: false },
  ]);
  const any = planDoors(2, '127.0.0.1:0', '127.0.0.1:0', true);
  assert.is(any[1]?.grpcAddress, '127.0.0.1:0');
  assert.not.ok(any[0]?.sharesPorts, 'any free port cannot be shared');
});

test('where ports can be shared all have the same', () => {
  const doors = planDoors(2, GRPC, HTTP, true);
  assert.equal(doors[0], doors[1]);
  assert.ok(doors[0]?.sharesPorts);
});

test('ports that meet the HTTP port or the end are refused, naming them', () => {
  assert.throws(() => planDoors(2, '127.0.0.1:8079', HTTP, false), /8079 to 8080: port 8080/);
  assert.throws(() => planDoors(2, '127.0.0.1:65535', HTTP, false), /port 65536 cannot/);
});

test('knows from which version on Node can share ports', () => {
  for (const version of ['v22.12.0', 'v23.1.0', 'v24.0.0'])
    assert.ok(canSharePorts(version, 'linux'));
  for (const version of ['v20.20.2', 'v22.11.0', 'v23.0.0']) {
    assert.not.ok(canSharePorts(version, 'linux'));
  }
  assert.not.ok(canSharePorts('v24.0.0', 'darwin'));
});

run();

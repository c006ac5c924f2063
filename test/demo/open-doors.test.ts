import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import * as assert from 'uvu/assert';
import { systemClock } from '../../src/base/system-clock.js';
import { openDoors } from '../../src/demo/open-doors.js';
import { withStore } from '../cli/cli-rig.js';
import { suite } from '../harness/suite.js';

const { test, run } = suite('openDoors');

test('reaches the store over gRPC and HTTP, and fails once closed', () =>
  withStore(async ({ target, values }) => {
    const http = createServer((_request, response) => void response.end('over http'));
    await new Promise<void>((resolve) => http.listen(0, '127.0.0.1', resolve));
    const { port } = http.address() as AddressInfo;
    const addresses = { grpcAddress: target, httpAddress: `127.0.0.1:${port}` };
    const doors = openDoors(addresses, systemClock.wallMs);
    // More calls than connections, so that each is used.
    await Promise.all(
      Array.from({ length: 9 }, (_, i) => doors.grpc.put(`k${i}`, Buffer.from(`v${i}`))),
    );
    assert.is(values.size, 9);
    assert.equal(await doors.grpc.get('k8'), Buffer.from('v8'));
    assert.equal(await doors.http.get('any'), Buffer.from('over http'));
    doors.close();
    const late = await doors.grpc.get('k8').then(
      () => 'answered',
      () => 'failed',
    );
    assert.is(late, 'failed');
    http.closeAllConnections();
    await new Promise((resolve) => http.close(resolve));
  }));

run();

/** Entry of a router thread. Wiring only: the router, its doors, the control port. */
import { workerData } from 'node:worker_threads';
import { unreachable } from '../base/assert.js';
import { messageOf } from '../base/errors.js';
import { systemClock, threadOffsetMs } from '../base/system-clock.js';
import type { FromRouter, RouterBoot, ToRouter } from '../rpc/control.js';
import type { TurnedAway } from '../rpc/door-guard.js';
import type { SecuritySettings } from '../rpc/door-security.js';
import { PortDoorbell } from '../rpc/doorbell.js';
import { type GrpcServer, startGrpcServer } from '../rpc/grpc-server.js';
import { RouterEnd } from '../rpc/link.js';
import { RouterStats } from '../rpc/router-stats.js';
import { ShardStats } from '../rpc/shard-stats.js';
import { GovernedAccess } from './access.js';
import { AuditTrail } from './audit-trail.js';
import { type HttpDoor, startHttpDoor } from './http-door.js';
import { Router } from './router.js';
import { RouterLoop } from './router-loop.js';
import { SecureAccess } from './secure-access.js';
import { SupervisorCalls } from './supervisor-calls.js';
import { Traffic } from './traffic.js';

const RETRY_HINTS = { busyRetryAfterMs: 50, downRetryAfterMs: 250 };
const boot = workerData as RouterBoot;
/** Scans that one router keeps going; more are refused. */
const SCANS_MAX = 64;
/** Callers that one router remembers. */
const CALLERS_MAX = 4096;
/** The part of a drain's time after which calls in flight are given up. */
const GIVE_UP_AT = 0.75;
const { control, keyBytesMax, valueBytesMax, batchBytesMax, batchEntriesMax } = boot;
const post = (message: FromRouter): void => control.postMessage(message);

const router = new Router({
  ...boot,
  clock: systemClock,
  limits: { ...boot, ...RETRY_HINTS, scansMax: SCANS_MAX },
  slotOwner: new Uint16Array(boot.slotOwner),
  soon: setImmediate,
  after,
  onDamage: (shard, epoch, { message }) => post({ kind: 'damaged', shard, epoch, message }),
});
const supervisor = new SupervisorCalls(systemClock, (id, question) =>
  post({ kind: 'ask', id, question }),
);
const offsetMs = threadOffsetMs();
const traffic = new Traffic({
  settings: boot.traffic,
  memory: boot.trafficMemory,
  seed: boot.trafficSeed,
  nowMs: () => systemClock.monotonicMs() + offsetMs,
});
const stats = new RouterStats(boot.stats);
const loop = new RouterLoop(router, new PortDoorbell(boot.routerBell), () => {
  supervisor.sweep();
  const { ready, inFlight, draining } = router.status();
  stats.set('inFlight', inFlight);
  stats.set('draining', Number(draining));
  traffic.publish(stats);
  health?.setServing(ready);
});
const trail = new AuditTrail({ write: (record) => post({ kind: 'audit', record }), after });
const access = new SecureAccess({
  inner: new GovernedAccess({
    operations: router,
    desk: supervisor,
    gates: traffic.gates,
    after,
    callersMax: CALLERS_MAX,
  }),
  principals: boot.security.principals,
  trail,
  audit: boot.audit,
  metricsPublic: boot.metricsPublic,
});
/** What tells clients whether to call; known once the door is open. */
let health: GrpcServer | undefined;
let httpDoor: HttpDoor | undefined;
const doors = openDoors();

control.on('message', (message: ToRouter) => {
  switch (message.kind) {
    case 'shard-up':
      loop.setWakePort(message.shard, message.wake);
      router.shardUp(new RouterEnd(message.link));
      return;
    case 'shard-down':
      router.shardDown(message.shard, message.reason);
      return;
    case 'shard-refused':
      router.shardRefused(message.shard, message.reason);
      return;
    case 'security':
      secure(message.settings);
      return;
    case 'traffic':
      traffic.configure(message.settings);
      return;
    case 'answer':
      supervisor.answered(message.id, message.answer);
      return;
    case 'drain':
      router.startDrain();
      void drain(message.delayMs, message.deadlineMs);
      return;
    default:
      unreachable(message, 'message to a router');
  }
});
loop.start();

async function openDoors() {
  const { grpcAddress, httpAddress } = boot;
  const status = () => router.status();
  const shardStats = boot.shardStats.map((memory) => new ShardStats(memory));
  const { tls } = boot.security;
  const common = { ...boot, tls, access, clock: systemClock, status, shardStats };
  const sizes = { keyBytesMax, valueBytesMax, batchBytesMax, batchEntriesMax };
  try {
    const grpc = await startGrpcServer({
      ...common,
      address: grpcAddress,
      limits: { ...boot.grpcLimits, ...sizes },
      onTurnedAway: turnedAway('grpc'),
    });
    health = grpc;
    if (httpAddress === '') {
      post({ kind: 'listening', grpcAddress: grpc.address, httpAddress: '' });
      return [grpc];
    }
    const http = await startHttpDoor({
      ...common,
      address: httpAddress,
      limits: { ...boot.httpLimits, ...sizes },
      onTurnedAway: turnedAway('http'),
    });
    httpDoor = http;
    post({ kind: 'listening', grpcAddress: grpc.address, httpAddress: http.address });
    return [grpc, http];
  } catch (error) {
    post({ kind: 'failed', message: messageOf(error) });
    return [];
  }
}

/** Certificates count from the next handshake on, principals at once. */
function secure({ tls, principals }: SecuritySettings): void {
  access.update(principals);
  if (tls === undefined) return;
  health?.setTls(tls);
  httpDoor?.setTls(tls);
}

function turnedAway(door: 'grpc' | 'http'): TurnedAway {
  return (peer, reason) => trail.refusal({ event: 'connection', door, peer, reason });
}

async function drain(delayMs: number, deadlineMs: number): Promise<void> {
  const open = await doors;
  health?.setServing(false);
  httpDoor?.windDown();
  await new Promise((passed) => setTimeout(passed, delayMs));
  // Whoever still waits then is answered while its connection is there to answer on.
  const hurry = setTimeout(() => router.giveUp(), deadlineMs * GIVE_UP_AT);
  await Promise.all(open.map((door) => door.drain(deadlineMs)));
  clearTimeout(hurry);
  loop.stop();
  supervisor.close();
  trail.close();
  post({ kind: 'drained' });
  control.close();
}

function after(ms: number, task: () => void): () => void {
  const timer = setTimeout(task, ms);
  return () => clearTimeout(timer);
}
